// usage: node tests/wasm/run.mjs prove|measure [BUILD...]
//
// Runs the WebAssembly builds of build/wasm in node (SIMD128: node 20 gets relaxed dots wrong) and in headless
// Chromium, where they lie. PLAYWRIGHT names the folder of playwright-core; SMOLLM2 and MINILM, a GGUF file and a
// folder, the real weights; without them their tests are skipped. CHROMIUM: the program.
import {mkdtempSync, readdirSync, readFileSync, rmSync, statSync, createReadStream} from 'node:fs';
import {createServer} from 'node:http';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

import {Dunnock, builds as nodeBuilds} from '../../build/wasm/dunnock.mjs';
import {measure} from './measure.mjs';
import {prove} from './proof.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const golden = path.join(root, 'tests/golden');
const [what = 'prove', ...wanted] = process.argv.slice(2);
const builds = wanted.length > 0 ? wanted : ['simd', 'simd-threads', 'relaxed', 'relaxed-threads'];
const threadsOf = (build) => !build.endsWith('-threads') ? [1] : what === 'prove' ? [1, 2, 3] : [2];

const filesOf = (folder) => readdirSync(folder, {recursive: true}).filter((file) =>
    statSync(path.join(folder, file)).isFile());
const bits = JSON.parse(readFileSync(path.join(golden, 'bits.json'), 'utf8'));
for (const row of bits.tiny) row.files = filesOf(path.join(golden, 'models', row.model));

// The real models by name: {file: its path}.
const models = {};
if (process.env.SMOLLM2) models[bits.generate.model] = {'model.gguf': process.env.SMOLLM2};
if (process.env.MINILM) {
  const folder = process.env.MINILM;
  const needed = filesOf(folder).filter((file) => /\.(json|safetensors|txt)$/.test(file) && !file.startsWith('onnx'));
  models[bits.embed.model] = Object.fromEntries(needed.map((file) => [file, path.join(folder, file)]));
}

let passed = 0, failed = 0;
function report(where, {name, error}) {
  error ? ++failed : ++passed;
  console.log(`${error ? 'FAIL' : 'ok  '} ${where}: ${name}${error ? `: ${error}` : ''}`);
}
function show(where, {build, threads, load_ms, prefill, decode, embed}) {
  const texts = embed.map(({tokens, ms}) => `${ms.toFixed(2)} ms (${tokens} tokens)`).join(', ');
  console.log(`${where} ${build} ${threads}: prompt ${prefill.toFixed(0)} tok/s, decode ${decode.toFixed(1)} tok/s, ` +
              `load ${load_ms.toFixed(0)} ms, embed ${texts}`);
}

// ---- node ----

for (const build of builds.filter((name) => nodeBuilds().includes(name) && name.startsWith('simd'))) {
  for (const threads of threadsOf(build)) {
    const job = {Dunnock, build, threads, bits};
    job.read = async (file) => readFileSync(path.join(golden, file));
    job.model = async (name) => models[name] &&
        Object.fromEntries(Object.entries(models[name]).map(([file, at]) => [file, readFileSync(at)]));
    if (what === 'measure') {
      show('node', await measure(job));
    } else {
      for await (const result of prove(job)) report('node', result);
    }
  }
}

// ---- Chromium ----

// The checkout and the real weights on the loopback, isolated, so that threads may share memory.
const types = {'.html': 'text/html', '.mjs': 'text/javascript', '.wasm': 'application/wasm'};
const isolated = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};
const server = createServer((request, response) => {
  const name = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
  const send = (status, type) => response.writeHead(status, {'Content-Type': type, ...isolated});
  const [, first, model, ...rest] = name.split('/');
  let file = path.join(root, name);
  if (first === 'model') {
    if (models[model] && rest.length === 0) {
      send(200, 'application/json');
      return response.end(JSON.stringify(Object.keys(models[model])));
    }
    file = models[model]?.[rest.join('/')];
  }
  if (!file || !statSync(file, {throwIfNoEntry: false})?.isFile()) {
    send(404, 'text/plain');
    return response.end();
  }
  send(200, types[path.extname(file)] ?? 'application/octet-stream');
  createReadStream(file).pipe(response);
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));

const {chromium} = createRequire(path.join(process.env.PLAYWRIGHT ?? root, 'x'))('playwright-core');
const profile = mkdtempSync(path.join(tmpdir(), 'dunnock-chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync'],
});
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.log(`page: ${error}`));
  await page.goto(`http://127.0.0.1:${server.address().port}/tests/wasm/page.html`);
  await page.waitForFunction(() => globalThis.job !== undefined);
  const version = browser.browser()?.version() ?? await page.evaluate(() => navigator.userAgent.match(/Chrome\/\d+/)[0]);
  console.log(`${version}: ${await page.evaluate(() => crossOriginIsolated) ? 'isolated' : 'not isolated'}`);
  for (const build of builds) {
    for (const threads of threadsOf(build)) {
      const {results, error} = await page.evaluate((request) => job(request), {what, build, threads, bits});
      for (const result of results) (what === 'measure' ? show : report)('chromium', result);
      if (error) report('chromium', {name: `${build}, ${threads}`, error});
    }
  }
} finally {
  await browser.close();
  server.close();
  rmSync(profile, {recursive: true, force: true});
}
if (what === 'prove') console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
