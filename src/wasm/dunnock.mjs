// Loads the best of the four builds that this host can run, hands a model's files over as bytes, and
// calls it. In a page this belongs in a worker: calls return when the work is done.

const runs = (...code) => WebAssembly.validate(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, ...code));

// i8x16.popcnt; i32x4.relaxed_dot_i8x16_i7x16_add_s; an atomic load from shared memory.
const simd = () => runs(1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);
const relaxedSimd = () =>
  runs(1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15,
       253, 147, 2, 11);
const threads = () =>
  typeof SharedArrayBuffer === 'function' && (globalThis.crossOriginIsolated ?? true) &&
  runs(1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 4, 1, 3, 1, 1, 10, 11, 1, 9, 0, 65, 0, 254, 16, 2, 0, 26, 11);

// The builds this host can run, best first: "relaxed-threads", "simd-threads", "relaxed", "simd".
export function builds() {
  if (!simd()) return [];
  // Node 20 runs relaxed dots only behind a flag, and wrongly.
  const kinds = relaxedSimd() ? ['relaxed', 'simd'] : ['simd'];
  return [...(threads() ? kinds.map((kind) => `${kind}-threads`) : []), ...kinds];
}

export class Dunnock {
  #module;

  // {threads: 1, build: the best that this host can run}
  static async load({threads = 1, build} = {}) {
    build ??= builds().find((name) => name.endsWith('-threads') === threads > 1);
    if (!build) throw new Error(`no build of dunnock runs here with ${threads} threads`);
    const {default: create} = await import(new URL(`dunnock-${build}.mjs`, import.meta.url));
    const dunnock = new Dunnock();
    dunnock.build = build;
    dunnock.threads = threads;
    dunnock.#module = await create({poolSize: threads - 1});
    return dunnock;
  }

  // Opens the model of `files`, {name: Uint8Array}. {compute: "auto" | "f32", fallback_template}
  open(files, options = {}) {
    for (const [name, bytes] of Object.entries(files)) {
      const at = this.#module._malloc(Math.max(bytes.length, 1));
      if (!at) throw new Error(`no memory for the ${bytes.length} bytes of ${name}`);
      this.#module.HEAPU8.set(bytes, at >>> 0);
      this.#withText(name, (text) => this.#module._dunnock_add_file(text, at, bytes.length));
    }
    return this.#call('open', {threads: this.threads, ...options});
  }

  // {ids | prompt | message, max_tokens, ignore_stop} -> {text, ids, checksum, ...}
  generate(request) { return this.#call('generate', request); }
  // {text} -> {embedding, tokens, checksum, ms}
  embed(request) { return this.#call('embed', request); }
  // {ids, split, batch} -> {checksum}: of the logits of every position
  bits(request) { return this.#call('bits', request); }

  // Ends the workers.
  close() { this.#module.PThread?.terminateAllThreads(); }

  #withText(text, use) {
    const size = this.#module.lengthBytesUTF8(text) + 1, at = this.#module._malloc(size);
    this.#module.stringToUTF8(text, at, size);
    try { return use(at); } finally { this.#module._free(at); }
  }
  #call(name, request) {
    const reply = this.#withText(JSON.stringify(request), (text) =>
        JSON.parse(this.#module.UTF8ToString(this.#module[`_dunnock_${name}`](text))));
    if (reply.error) throw new Error(reply.error.message);
    return reply;
  }
}
