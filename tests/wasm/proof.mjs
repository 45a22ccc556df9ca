// What a WebAssembly build has to prove, in node and in a page alike: the checksums of tests/golden/bits.json.

// One build with one number of threads. `bits` is that file, read(path) gives the bytes of a file of tests/golden,
// model(name) the files of a real model or null. Yields {name, error}.
export async function* prove({Dunnock, build, threads, bits, read, model}) {
  const dunnock = await Dunnock.load({build, threads});
  const name = (what) => `${build}, ${threads} thread${threads > 1 ? 's' : ''}: ${what}`;
  const equal = (found, expected) => {
    if (found !== expected) throw new Error(`found ${found}, expected ${expected}`);
  };
  const run = async (what, body) => {
    try {
      return {name: name(what), ...await body()};
    } catch (error) {
      return {name: name(what), error: error.message};
    }
  };

  for (const row of bits.tiny) {
    yield run(`${row.model} (${row.compute}) over splits and batches`, async () => {
      const files = {};
      for (const file of row.files) files[file] = await read(`models/${row.model}/${file}`);
      const {target, causal} = dunnock.open(files, {compute: row.compute});
      equal(target, build.startsWith('relaxed') ? 'wasm-relaxed' : 'wasm');
      for (const split of causal ? bits.splits : [0]) {
        for (const batch of bits.batches) {
          const {checksum} = dunnock.bits({ids: row.ids, split, batch});
          if (checksum !== row.checksum)
            throw new Error(`split ${split}, batch ${batch}: found ${checksum}, expected ${row.checksum}`);
        }
      }
    });
  }

  yield run('sampling goes by its seed, options are checked, a callback ends a reply', async () => {
    const folder = 'models/llama-gqa-tied/safetensors';
    const files = {};
    for (const file of ['config.json', 'model.safetensors']) files[file] = await read(`${folder}/${file}`);
    const refused = (body, word, status) => {
      try {
        body();
      } catch (error) {
        if (!error.message.includes(word) || error.status !== status)
          throw new Error(`found ${error.status}: ${error.message}, expected ${status}: ${word}`);
        return;
      }
      throw new Error(`nothing was thrown, expected ${word}`);
    };
    refused(() => dunnock.open(files, {catalogue_id: 'smolm2-135m'}), 'did you mean smollm2-135m', 'not found');
    dunnock.open(files, {fallback_template: '{{ messages[0].content }}', fallback_stop_texts: ['\n']});
    const ask = (more) => dunnock.generate({ids: [3, 1, 4, 1, 5], max_tokens: 12, ignore_stop: true, ...more});
    const greedy = ask({}).ids.join(), seven = ask({temperature: 1.5, seed: 7}).ids.join();
    equal(ask({temperature: 1.5, seed: 7}).ids.join(), seven);
    if (ask({temperature: 1.5, seed: 8}).ids.join() === seven) throw new Error('the seed does not count');
    equal(ask({temperature: 1.5, seed: 8, top_k: 1}).ids.join(), greedy);
    equal(ask({logit_bias: {9: 1e6}}).ids.join(), Array(12).fill(9).join());
    equal(ask({prompt_lookup: 4}).ids.join(), greedy);
    ask({keep_cache: true});
    equal(ask({keep_cache: true}).timings.cached_tokens, 4);
    refused(() => ask({top_p: 2}), 'top_p', 'invalid');
    refused(() => ask({top_p: 'much'}), 'top_p', 'invalid');
    refused(() => ask({stop: ['.']}), 'no tokenizer', 'not found');
    refused(() => ask({max_tokens: 100000}), 'the context holds', 'limit');
    refused(() => dunnock.embed({text: 'a'}), 'does not embed', 'unsupported');
  });

  yield run('passages are reranked, texts embedded in one batch', async () => {
    const opened = async (folder, names) => {
      const files = {};
      for (const file of names) files[file] = await read(`${folder}/${file}`);
      return dunnock.open(files);
    };
    const side = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'vocab.txt'];
    const {labels} = await opened('models/ms-marco-minilm-l6-v2/safetensors', side);
    equal(labels, 1);
    const {scores} = dunnock.rerank({query: 'a bird', passages: ['a small bird', 'rain']});
    equal(scores.length, 2);
    equal(dunnock.rerank({query: 'a bird', passages: ['rain']}).scores[0].logit, scores[1].logit);
    await opened('models/st-tiny', [...side, 'modules.json', '1_Pooling/config.json', 'sentence_bert_config.json']);
    const {embeddings} = dunnock.embed({texts: ['a small bird', 'rain']});
    equal(dunnock.embed({text: 'rain'}).checksum, embeddings[1].checksum);
  });

  const {generate, embed} = bits;
  const llm = await model(generate.model);
  if (llm) {
    yield run(`${generate.model} answers`, async () => {
      dunnock.open(llm);
      const {message, max_tokens} = generate;
      const reply = dunnock.generate({message, max_tokens});
      equal(reply.text, generate.text);
      equal(reply.ids.join(), generate.ids.join());
      equal(reply.checksum, generate.checksum);
    });
    yield run(`${generate.model} streams, stops at a text and is cancelled`, async () => {
      const {message, max_tokens, text, checksum} = generate;
      let pieces = '';
      const whole = dunnock.generate({message, max_tokens}, (piece) => { pieces += piece; });
      equal(whole.checksum, checksum);
      equal(pieces, text);
      const stop = text.slice(8, 14);
      const stopped = dunnock.generate({message, max_tokens, stop: [stop]});
      equal(stopped.text, text.slice(0, text.indexOf(stop)));
      equal(stopped.finish_reason, 'stop');
      const cancelled = dunnock.generate({message, max_tokens}, () => false);
      equal(cancelled.finish_reason, 'cancelled');
      if (cancelled.text.length >= text.length) throw new Error('the reply went on');
      let thrown = 'nothing';
      try {
        dunnock.generate({message, max_tokens}, () => { throw new Error('own'); });
      } catch (error) {
        thrown = error.message;
      }
      equal(thrown, 'own');
    });
  }
  const encoder = await model(embed.model);
  if (encoder) {
    yield run(`${embed.model} embeds`, async () => {
      dunnock.open(encoder);
      equal(dunnock.embed({text: embed.text}).checksum, embed.checksum);
    });
  }
  yield run('a fault is an error with its reason', async () => {
    let message = 'nothing';
    try {
      dunnock.open({'config.json': new TextEncoder().encode('{"model_type": "llama"}')});
    } catch (error) {
      message = error.message;
    }
    if (!message.includes('no checkpoint here')) throw new Error(`found "${message}", expected a missing checkpoint`);
  });
  // Sizes whose products do not fit 32 bits.
  const overflowing = [
    {num_attention_heads: 4194305, num_key_value_heads: 4194305, head_dim: 1024},
    {num_attention_heads: 65536, num_key_value_heads: 65536, head_dim: 1024},
    {hidden_size: 16777216, num_attention_heads: 65536, head_dim: 256, intermediate_size: 16777216},
    {vocab_size: 16777216, hidden_size: 16777216, num_attention_heads: 16384, head_dim: 1024},
    {num_hidden_layers: 16777216},
  ];
  for (const sizes of overflowing) {
    yield run(`${JSON.stringify(sizes)} is refused`, async () => {
      const folder = 'models/llama-gqa-tied/safetensors';
      const config = {...JSON.parse(new TextDecoder().decode(await read(`${folder}/config.json`))), ...sizes};
      let message = 'nothing';
      try {
        dunnock.open({'config.json': new TextEncoder().encode(JSON.stringify(config)),
                      'model.safetensors': await read(`${folder}/model.safetensors`)});
      } catch (error) {
        message = error.message;
      }
      if (!message.includes('config.json')) throw new Error(`found "${message}", expected an error of config.json`);
    });
  }
  dunnock.close();
}
