// Runs a proof or a measurement inside a page's worker and posts its results.
import {Dunnock, builds} from '/build/wasm/dunnock.mjs';
import {measure} from './measure.mjs';
import {prove} from './proof.mjs';

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function model(name) {
  const answer = await fetch(`/model/${name}`);
  if (!answer.ok) return null;
  const files = {};
  for (const file of await answer.json()) files[file] = await get(`/model/${name}/${file}`);
  return files;
}

onmessage = async ({data: {what, build, threads, bits}}) => {
  try {
    const job = {Dunnock, build, threads, bits, model, read: (path) => get(`/tests/golden/${path}`)};
    if (what === 'builds') postMessage({done: builds()});
    if (what === 'prove') for await (const result of prove(job)) postMessage({result});
    if (what === 'measure') postMessage({result: await measure(job)});
    postMessage({done: true});
  } catch (error) {
    postMessage({done: true, error: `${error.message ?? error}\n${error.stack ?? ''}`});
  }
};
