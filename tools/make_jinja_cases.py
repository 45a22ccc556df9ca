#!/usr/bin/env python3
"""Writes tests/cases/jinja_cases.jsonl: template snippets and what jinja2 makes of them, configured as transformers does.

usage: make_jinja_cases.py > tests/cases/jinja_cases.jsonl     (needs transformers and jinja2, tools/requirements.txt)
"""
import json

from transformers.utils.chat_template_utils import _compile_jinja_template

MESSAGES = [{"role": "user", "content": "h\u00e9llo <b>"}, {"role": "assistant", "content": "x"}]
CHATML = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
ZEPHYR = "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
SNIPPETS = [CHATML, ZEPHYR] + [ "{{ 1 + 2 * 3 }}","{{ 7 // -2 }} {{ -7 % 3 }} {{ 2**10 }} {{ 7/2 }}","{{ 'a' ~ 1 ~ none ~ true }}","{{ [1,'a',{'b':2.0}] }}","{% for x in [1,2,3] %}{{ loop.index }}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}",
"{% set ns = namespace(a=1) %}{% for i in range(3) %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}","  {% if true %}\n x\n  {% endif %}\n y","{%- if true -%}  x  {%- endif -%}  z","{{ 'Hello World'.split(' ')|join('-') }}","{{ messages[0]['content'][1:3] }} {{ messages[0].content[::-1] }}",
"{{ messages|tojson }}","{{ messages|tojson(indent=2) }}","{{ {'a':[1,{}],'b':'é\\n\"<'}|tojson }}","{{ x is defined }} {{ x is not defined }} {{ messages is iterable }} {{ 'a' is string }} {{ 3 is odd }}","{% macro m(a,b=2) %}{{a}}-{{b}}{% endmacro %}{{ m(1) }}{{ m(1,b=3) }}",
"{{ 'x' if false }}|{{ 'x' if true else 'y' }}","{{ messages|map(attribute='role')|list }}","{{ messages|selectattr('role','equalto','user')|list|length }}","{{ (1,2) }} {{ (1,) }} {{ 1e16 }} {{ 0.1 }} {{ 1e-7 }} {{ 3.0 }}","{{ 'abc'|upper }} {{ 'ABC def'|title }} {{ 'abc'|capitalize }} {{ ' x '|trim }}|","{{ 'a\\tb' }} {{ \"it's\" }}",
"{% for k,v in {'a':1,'b':2}.items() %}{{k}}={{v}};{% endfor %}","{{ 1 in [1,2] }} {{ 'a' not in 'abc' }}","{{ [3,1,2]|sort }} {{ [1,2,3]|sum }} {{ [1,2,3]|max }} {{ [1,1,2]|unique|list }}","{% for i in range(5) %}{% if i==1 %}{% continue %}{% endif %}{% if i==3 %}{% break %}{% endif %}{{i}}{% endfor %}",
"{# c #}\n{{ 1 }}\n{# d -#}\n  x","{% raw %}{{ x }}{% endraw %}","{{ 'a,b'|replace(',', ';') }} {{ 'abc'|first }} {{ [1,2]|last }} {{ none|default('d') }} {{ z|default('d') }} {{ ''|default('e', true) }}","{% filter upper %}abc{% endfilter %}","{% set q %}hey{% endset %}{{ q }}","{{ [1,2]+[3] }} {{ 'ab'*3 }} {{ not true }} {{ true and 0 or 'x' }}","{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }}","{{ 'a\nb\nc'|indent(2) }}","{{ x }}|{{ messages[5] }}|","{{ '%s' }} {{ 'a' 'b' }} {{ 10|string + '1' }}","{{ 42|float }} {{ '3.7'|int }} {{ 3.7|int }} {{ 2.5|round }} {{ '5'|int + 1 }}","{{ messages[0].role.upper().lower().startswith('u') }}","{{- 'a' -}}\n b","{% for a in [[1,2],[3,4]] %}{% for b in a %}{{ b }}{{ loop.first }}{% endfor %}{% endfor %}","{{ {'b':1,'a':2}|dictsort }} {{ {'a':1}|length }} {{ 'é'|length }}","{{ range(3)|list }} {{ range(1,10,3)|list }} {{ [1,2,3]|reverse|list }}","{% if messages[0]['role'] == 'user' and not x %}ok{% elif 1 %}no{% else %}e{% endif %}","{{ none }} {{ None is none }} {{ True }}","{{ -5|abs }} {{ (2-5)|abs }} {{ 2**3**2 }}","{{ 'abc'.find('c') }} {{ 'a b'.title() }} {{ 'xax'.strip('x') }} {{ 'a'.join(['1','2']) }} {{ 'abab'.count('ab') }}","{{ [1,2,3,4]|batch(2)|list }} {{ [1,2,3]|select('odd')|list }} {{ ['a','B']|map('upper')|join }}"]


def main():
    for template in SNIPPETS:
        variables = {"messages": MESSAGES, "add_generation_prompt": True, "eos_token": "</s>"}
        row = {"template": template, "variables": variables}
        try:
            row["output"] = _compile_jinja_template(template).render(**variables)
        except Exception as error:  # what jinja2 refuses, we refuse
            row["error"] = str(error)
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
