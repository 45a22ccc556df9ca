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

  // Opens the model of `files`, {name: Uint8Array}, in place of the one before. Options:
  //   compute: "auto" | "f32", kv_cache: "auto" | "f32" | "f16" | "int8"
  //   catalogue_id: a known model, whose template, stop texts and prompts fill what the files lack
  //   chat_template: in place of the model's own; fallback_template, fallback_stop_texts: where it has none
  // -> {model_type, causal, has_tokenizer, has_chat_template, context_length, vocab_size, hidden_size, labels, target,
  //     threads, notes, load_ms}
  open(files, options = {}) {
    for (const [name, bytes] of Object.entries(files)) {
      const at = this.#module._malloc(Math.max(bytes.length, 1));
      if (!at) throw new Error(`no memory for the ${bytes.length} bytes of ${name}`);
      this.#module.HEAPU8.set(bytes, at >>> 0);
      this.#withText(name, (text) => {
        const fault = this.#module._dunnock_wasm_add_file(text, at, bytes.length);
        if (fault) this.#read(fault);
      });
    }
    return this.#call('open', {threads: this.threads, ...options});
  }

  // Completes {prompt} or {ids}, or answers {message} or {messages: [{role, content}]} under the chat template. Options:
  //   max_tokens (16), temperature (0: greedy), top_k, top_p, min_p, typical_p, epsilon_cutoff, eta_cutoff,
  //   repetition_penalty, frequency_penalty, presence_penalty, logit_bias: {id: bias}, seed,
  //   stop: texts that end the reply, prompt_lookup: tokens guessed per pass, ignore_stop: go on behind end tokens,
  //   keep_cache: begin with what the last such request left, as far as the prompts agree
  // onText(text) gets the reply as it comes; false ends it. What it throws is thrown here.
  // -> {text, ids, prompt_ids, finish_reason: "stop" | "length" | "cancelled", timings: {prompt_tokens, cached_tokens,
  //     prompt_ms, first_token_ms, tokens, decode_ms, guessed_tokens, right_tokens}, checksum}
  generate(request, onText) {
    if (!onText) return this.#call('generate', request, 0);
    let thrown;
    const shown = this.#module.addFunction((text) => {
      try {
        return onText(this.#module.UTF8ToString(text)) === false ? 1 : 0;
      } catch (error) {
        thrown = {error};
        return 1;
      }
    }, 'ip');
    try {
      const reply = this.#call('generate', request, shown);
      if (thrown) throw thrown.error;
      return reply;
    } finally {
      this.#module.removeFunction(shown);
    }
  }
  // {text} -> {embedding, tokens, cut_tokens, checksum, ms}, or {texts} -> {embeddings: [{embedding, ...}], ms}.
  // Options: prompt_name: "query" | "passage" | ..., normalize (true), truncate (false: too long a text is an error)
  embed(request) { return this.#call('embed', request); }
  // {query, passages, truncate: true} -> {scores: [{score, logit, cut_tokens}]}, in the order of the passages
  rerank(request) { return this.#call('rerank', request); }
  // {ids, split, batch} -> {checksum}: of the logits of every position
  bits(request) { return this.#call('bits', request); }

  // Ends the workers.
  close() { this.#module.PThread?.terminateAllThreads(); }

  #withText(text, use) {
    const size = this.#module.lengthBytesUTF8(text) + 1, at = this.#module._malloc(size);
    this.#module.stringToUTF8(text, at, size);
    try { return use(at); } finally { this.#module._free(at); }
  }
  #call(name, request, ...more) {
    return this.#withText(JSON.stringify(request), (text) =>
        this.#read(this.#module[`_dunnock_wasm_${name}`](text, ...more)));
  }
  // An error has what dunnock_c.h calls its status ("not found", "limit", ...) and its remedy, a number.
  #read(text) {
    const reply = JSON.parse(this.#module.UTF8ToString(text));
    if (!reply?.error) return reply;
    const {status, remedy, message} = reply.error;
    throw Object.assign(new Error(message), {status, remedy});
  }
}
