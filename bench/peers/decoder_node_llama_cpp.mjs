// llama.cpp through node-llama-cpp:  node decoder_node_llama_cpp.mjs NODE_FOLDER MODEL.gguf THREADS REPEAT
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';

const [folder, path, threads, repeat] = process.argv.slice(2);
const where = createRequire(`${folder}/package.json`).resolve('node-llama-cpp');
const {getLlama} = await import(pathToFileURL(where));
const version = JSON.parse(readFileSync(`${folder}/node_modules/node-llama-cpp/package.json`)).version;
const PROMPT = 512, SHORT = 16, DECODE = 128;

function someIds(count, vocabulary, seed) {  // src/pipeline/bench.cc's SomeIds
  let state = BigInt(seed);
  return Array.from({length: count}, () => {
    state = (state * 1664525n + 1013904223n) & 0xffffffffn;
    return Number((state * BigInt(vocabulary)) >> 32n);
  });
}

async function median(work) {
  const begin = performance.now();
  do await work(); while (performance.now() - begin < 300);  // warm up, as common.py does
  const samples = [];
  for (let i = 0; i < Number(repeat); ++i) samples.push(await work());
  samples.sort((a, b) => a - b);
  const half = samples.length >> 1;
  return samples.length % 2 ? samples[half] : (samples[half - 1] + samples[half]) / 2;
}

const begin = performance.now();
const llama = await getLlama({gpu: false, build: 'never', maxThreads: Number(threads), logLevel: 'error'});
const model = await llama.loadModel({modelPath: path});
const context = await model.createContext({contextSize: 1024, batchSize: PROMPT, threads: Number(threads)});
const loadMs = performance.now() - begin;
const vocabulary = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
const sequence = context.getSequence();

async function prefill(seed, count) {  // to the first token
  await sequence.clearHistory();
  const start = performance.now();
  for await (const _ of sequence.evaluate(someIds(count, vocabulary, seed), {temperature: 0})) break;
  return performance.now() - start;
}
async function generate() {  // from the first token on
  await sequence.clearHistory();
  let start = 0, count = 0;
  const options = {temperature: 0, yieldEogToken: true};
  for await (const _ of sequence.evaluate(someIds(SHORT, vocabulary, 2), options)) {
    if (start === 0) start = performance.now();
    else if (++count === DECODE) break;
  }
  if (count !== DECODE) throw new Error(`${count} tokens, expected ${DECODE}`);
  return performance.now() - start;
}
const report = {
  load_ms: loadMs, prefill_tok_s: 1000 * PROMPT / await median(() => prefill(1, PROMPT)),
  first_token_ms: await median(() => prefill(2, SHORT)), decode_tok_s: 1000 * DECODE / await median(generate), version,
};
process.stdout.write(JSON.stringify(report) + '\n');
await llama.dispose();
