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
