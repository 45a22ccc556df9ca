#!/usr/bin/env python3
"""Writes tests/cases/jinja_cases.jsonl: template snippets and what jinja2 makes of them, configured as transformers does.

usage: make_jinja_cases.py [--random N --seed N] > tests/cases/jinja_cases.jsonl
       (needs transformers and jinja2, tools/requirements.txt)

The first row has the variables of all others. Templates: SNIPPETS, then tests/cases/chat_template_snippets.txt (a JSON
string a line). --random makes N random ones, which DUNNOCK_JINJA_CASES=FILE gives to the same test.
"""
import argparse
import copy
import json
import os
import random
import re

import jinja2
from transformers.utils.chat_template_utils import _compile_jinja_template

ROOT = os.path.abspath(f"{__file__}/../../..")
MESSAGES = [{"role": "user", "content": "h\u00e9llo <b>"}, {"role": "assistant", "content": "x"}]
CHATML = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
ZEPHYR = "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
SNIPPETS = [CHATML, ZEPHYR] + [ "{{ 1 + 2 * 3 }}","{{ 7 // -2 }} {{ -7 % 3 }} {{ 2**10 }} {{ 7/2 }}","{{ 'a' ~ 1 ~ none ~ true }}","{{ [1,'a',{'b':2.0}] }}","{% for x in [1,2,3] %}{{ loop.index }}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}",
"{% set ns = namespace(a=1) %}{% for i in range(3) %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}","  {% if true %}\n x\n  {% endif %}\n y","{%- if true -%}  x  {%- endif -%}  z","{{ 'Hello World'.split(' ')|join('-') }}","{{ messages[0]['content'][1:3] }} {{ messages[0].content[::-1] }}",
"{{ messages|tojson }}","{{ messages|tojson(indent=2) }}","{{ {'a':[1,{}],'b':'é\\n\"<'}|tojson }}","{{ x is defined }} {{ x is not defined }} {{ messages is iterable }} {{ 'a' is string }} {{ 3 is odd }}","{% macro m(a,b=2) %}{{a}}-{{b}}{% endmacro %}{{ m(1) }}{{ m(1,b=3) }}",
"{{ 'x' if false }}|{{ 'x' if true else 'y' }}","{{ messages|map(attribute='role')|list }}","{{ messages|selectattr('role','equalto','user')|list|length }}","{{ (1,2) }} {{ (1,) }} {{ 1e16 }} {{ 0.1 }} {{ 1e-7 }} {{ 3.0 }}","{{ 'abc'|upper }} {{ 'ABC def'|title }} {{ 'abc'|capitalize }} {{ ' x '|trim }}|","{{ 'a\\tb' }} {{ \"it's\" }}",
"{% for k,v in {'a':1,'b':2}.items() %}{{k}}={{v}};{% endfor %}","{{ 1 in [1,2] }} {{ 'a' not in 'abc' }}","{{ [3,1,2]|sort }} {{ [1,2,3]|sum }} {{ [1,2,3]|max }} {{ [1,1,2]|unique|list }}","{% for i in range(5) %}{% if i==1 %}{% continue %}{% endif %}{% if i==3 %}{% break %}{% endif %}{{i}}{% endfor %}",
"{# c #}\n{{ 1 }}\n{# d -#}\n  x","{% raw %}{{ x }}{% endraw %}","{{ 'a,b'|replace(',', ';') }} {{ 'abc'|first }} {{ [1,2]|last }} {{ none|default('d') }} {{ z|default('d') }} {{ ''|default('e', true) }}","{% filter upper %}abc{% endfilter %}","{% set q %}hey{% endset %}{{ q }}","{{ [1,2]+[3] }} {{ 'ab'*3 }} {{ not true }} {{ true and 0 or 'x' }}","{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }}","{{ 'a\nb\nc'|indent(2) }}","{{ x }}|{{ messages[5] }}|","{{ '%s' }} {{ 'a' 'b' }} {{ 10|string + '1' }}","{{ 42|float }} {{ '3.7'|int }} {{ 3.7|int }} {{ 2.5|round }} {{ '5'|int + 1 }}","{{ messages[0].role.upper().lower().startswith('u') }}","{{- 'a' -}}\n b","{% for a in [[1,2],[3,4]] %}{% for b in a %}{{ b }}{{ loop.first }}{% endfor %}{% endfor %}","{{ {'b':1,'a':2}|dictsort }} {{ {'a':1}|length }} {{ 'é'|length }}","{{ range(3)|list }} {{ range(1,10,3)|list }} {{ [1,2,3]|reverse|list }}","{% if messages[0]['role'] == 'user' and not x %}ok{% elif 1 %}no{% else %}e{% endif %}","{{ none }} {{ None is none }} {{ True }}","{{ -5|abs }} {{ (2-5)|abs }} {{ 2**3**2 }}","{{ 'abc'.find('c') }} {{ 'a b'.title() }} {{ 'xax'.strip('x') }} {{ 'a'.join(['1','2']) }} {{ 'abab'.count('ab') }}","{{ [1,2,3,4]|batch(2)|list }} {{ [1,2,3]|select('odd')|list }} {{ ['a','B']|map('upper')|join }}"]


class RandomTemplates:
    """Templates of random expressions and blocks, for comparing by the thousand."""

    STRINGS = ["''", "'a'", "'Hello World'", "' x y '", "'a,b,c'", "'10'", "'3.5'", "'\u00e9\u00df\u65e5'", "'a\\nb\\n'", "'%s-%d'", "'{}:{}'", "'<b>&'", "'aXbX'", "\"it's\""]
    NUMBERS = ["0", "1", "-1", "2", "7", "10", "3.0", "2.5", "-0.5", "1e3", "true", "false", "255"]
    OTHERS = ["none", "nosuch", "[]", "{}", "()", "[3, 1, 2]", "['b', 'A', 'a']", "[[1, 2], [3]]", "(1, 'x')", "{'a': 1, 'b': [2]}", "messages", "messages[0]",
              "messages[1].content", "eos_token", "range(3)", "[1, 'a', none, 2.5]", "[{'k': 2, 'v': 'x'}, {'k': 1, 'v': 'Y'}, {'k': 2}]"]
    FILTERS = ["upper", "lower", "title", "capitalize", "trim", "length", "list", "first", "last", "join", "join(', ')", "sort", "sort(reverse=true)", "reverse|list",
               "unique|list", "string", "int", "float", "int(5)", "abs", "round", "round(1)", "round(2, 'ceil')", "default('d')", "default('d', true)", "d(1)", "tojson",
               "tojson(indent=2)", "tojson(sort_keys=true)", "replace('a', 'zz')", "replace('', '-', 3)", "indent", "indent(2, true)", "indent(3, false, true)", "e", "safe",
               "wordcount", "center(12)", "truncate(5)", "truncate(6, true, '..', 0)", "map('string')|list", "map('upper')|join", "map(attribute='k')|list",
               "map(attribute='v', default='?')|list", "select|list", "select('string')|list", "reject('odd')|list", "select('gt', 1)|list", "selectattr('k')|list",
               "selectattr('k', 'eq', 2)|list", "rejectattr('v', 'defined')|list", "sum", "sum(start=2)", "sum(attribute='k')", "min", "max", "batch(2)|list",
               "batch(2, 'x')|list", "slice(2)|list", "slice(2, 'y')|list", "dictsort", "dictsort(false, 'value')", "items|list", "groupby('k')", "sort(attribute='k')",
               "sort(attribute='k,v')", "count", "urlencode", "format(1, 2)", "format('x')", "attr('a')", "forceescape", "unique|sort|join('|')", "max(attribute='k')"]
    METHODS = ["upper()", "lower()", "strip()", "strip('a ')", "lstrip('<')", "rstrip()", "split()", "split(',')", "split(' ', 1)", "rsplit(none, 1)", "rsplit('X', 1)",
               "splitlines()", "splitlines(true)", "startswith('a')", "endswith(('b', 'X'))", "find('b')", "rfind('X')", "index('a')", "count('a')", "replace('a', 'b')",
               "replace('X', '', 1)", "join(['p', 'q'])", "title()", "capitalize()", "swapcase()", "center(9, '*')", "ljust(6)", "rjust(6, '.')", "zfill(7)", "partition(',')",
               "rpartition('X')", "isdigit()", "isalpha()", "isupper()", "istitle()", "isspace()", "format(1, 'z')", "removeprefix('a')", "removesuffix('X')", "expandtabs()",
               "items()|list", "keys()|list", "values()|list", "get('a')", "get('zz', 9)", "get('role')", "copy()", "index(1)", "count(2)", "k", "a", "role", "content", "append(1)"]
    TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "sequence", "iterable", "true", "false", "odd", "even", "lower", "upper",
             "callable", "divisibleby 2", "eq 1", "ne 'a'", "gt 1", "le 2", "in [1, 'a']", "sameas none", "escaped", "equalto('a')"]
    FORMATS = ["'%5.2f|%-4d|%+d' % (2.345, 3, 4)", "'%05d %x %o' % (42, 255, 8)", "'%s %r' % ('a', 'b')", "'%e %g' % (12345.678, 0.0001)", "'%(a)s' % {'a': 1}", "'%c%%' % 'x'",
               "'{:>8}|{:<6}|{:^7}'.format('a', 'b', 'c')", "'{:08.3f} {:+d} {:,}'.format(3.14159, 5, 1234567)", "'{0} {1} {0}'.format(1, 2)", "'{a[0]} {b!r}'.format(a=[1], b='x')",
               "'{:x} {:#b} {:e} {:%}'.format(255, 5, 1234.5, 0.25)", "'{:*^9}'.format('mid')", "'{:.3}'.format('abcdef')", "'{:{}}|'.format('a', 5)", "'%.3s|%5s' % ('abcdef', 'x')"]
    BLOCKS = ["{%% for x in %s %%}{{ loop.index }}{{ x }}{%% if not loop.last %%},{%% endif %%}{%% else %%}none{%% endfor %%}",
              "{%% if %s %%}\n  yes\n{%% elif %s %%}\n  maybe\n  {%%- else %%}\n  no {%% endif -%%}\n\n end", "{%% set v = %s %%}{{ v }}{{ v is defined }}", "  {%% set w %%} {{ %s }} {%% endset %%}[{{ w }}]",
              "{%% set ns = namespace(t=%s) %%}{%% for i in range(3) %%}{%% set ns.t = i if loop.first else ns.t %%}{%% endfor %%}{{ ns.t }}",
              "{%% macro m(a, b=%s) %%}<{{ a }}{{ b }}>{%% endmacro %%}{{ m(1) }}{{ m(%s, b=2) }}", "{%% filter upper %%}x{{ %s }}{%% endfilter %%}",
              "{%% with q = %s %%}{{ q }}{%% endwith %%}{{ q }}", "{%% for k, v in {'a': %s, 'b': 2}.items() %%}\n    {{- k }}={{ v }};\n{%% endfor %%}",
              "{%% for x in [1, 2, 3, 4] if x != %s %%}{%% if x == 3 %%}{%% break %%}{%% endif %%}{{ x }}{{ loop.previtem }}{{ loop.nextitem }}{%% endfor %%}",
              "{%% macro c() %%}({{ caller(%s) }}){%% endmacro %%}{%% call(z) c() %%}{{ z }}{%% endcall %%}",
              "{%% for n in [[1, [2]], 3] recursive %%}{{ n if n is number else loop(n) }}{{ loop.depth }}{%% endfor %%}{{ %s }}", "a\n {#- c -#} \n{{- %s -}}\n b {# d #}\n\nc"]

    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, values):
        return values[self.random.randrange(len(values))]

    def expression(self, depth=0):
        roll = self.random.random()
        if depth > 3 or roll < 0.18:
            return self.pick(self.pick([self.STRINGS, self.NUMBERS, self.OTHERS, self.OTHERS]))
        inner = lambda: self.expression(depth + 1)
        if roll < 0.45:
            return "(%s)|%s" % (inner(), self.pick(self.FILTERS))
        if roll < 0.60:
            return "(%s).%s" % (inner(), self.pick(self.METHODS))
        if roll < 0.68:
            return "(%s) is %s%s" % (inner(), self.pick(["", "not "]), self.pick(self.TESTS))
        if roll < 0.80:
            return "(%s) %s (%s)" % (inner(), self.pick(["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or"]), inner())
        if roll < 0.86:
            return "(%s)[%s]" % (inner(), self.pick(["0", "-1", "1:", ":-1", "::-1", "::2", "'a'", "'role'", "1:3", "5", "-2:", inner()]))
        if roll < 0.90:
            return "(%s if %s else %s)" % (inner(), inner(), inner())
        if roll < 0.93:
            return "[%s, %s]" % (inner(), inner())
        if roll < 0.96:
            return self.pick(self.FORMATS)
        return self.pick(["-(%s)", "not (%s)", "{'a': %s}", "(%s,)"]) % inner()

    def template(self):
        if self.random.random() < 0.6:
            return "{{ " + self.expression() + " }}"
        block = self.pick(self.BLOCKS)
        return block % tuple(self.expression(1) for _ in range(block.count("%s")))


def row_of(template, variables):
    row = {"template": template}
    try:
        compiled = _compile_jinja_template(template)
        row["output"] = compiled.render(**copy.deepcopy(variables))  # jinja2's indent changes a list in place
    except Exception as error:  # what jinja2 refuses, we refuse
        row["error"] = str(error).split(" at 0x")[0]
    return row


def no_constant(*_):
    raise jinja2.nodes.Impossible()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--random", type=int, default=0, metavar="N", help="N random templates instead")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    variables = {"messages": MESSAGES, "add_generation_prompt": True, "eos_token": "</s>"}
    print(json.dumps({"variables": variables}, ensure_ascii=False))
    # What cannot be sliced is undefined where jinja2 folds constants, an error everywhere else: compare the latter.
    jinja2.nodes.Slice.as_const = no_constant
    if options.random:
        maker = RandomTemplates(options.seed)
        templates = (maker.template() for _ in range(options.random))
    else:
        with open(os.path.join(ROOT, "tests/cases/chat_template_snippets.txt"), encoding="utf-8", newline="") as file:
            templates = SNIPPETS + [json.loads(line) for line in file.read().split("\n") if line]
    for template in templates:
        row = row_of(template, variables)
        # Python's addresses and whole numbers beyond 64 bits are not for comparing.
        if " at 0x" in row.get("output", "") or re.search(r"(?<![.\d])\d{19,}", row.get("output", "")):
            continue
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
