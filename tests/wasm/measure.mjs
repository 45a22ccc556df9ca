// Speed of one build: the best of several runs, for docs/benchmarks.md. Nothing is asserted.

const best = (rounds, body) => Math.max(...Array.from({length: rounds}, body));

export async function measure({Dunnock, build, threads, bits, model}) {
  const dunnock = await Dunnock.load({build, threads});
  const {load_ms, target} = dunnock.open(await model(bits.generate.model));
  const prompt = Array.from({length: 256}, (_, i) => 100 + i * 7);
  const per_second = ({tokens, ms}) => 1000 * tokens / ms;
  const prefill = best(3, () => {
    const {timings} = dunnock.generate({ids: prompt, max_tokens: 1});
    return per_second({tokens: timings.prompt_tokens, ms: timings.prompt_ms});
  });
  const decode = best(3, () => {
    const {timings} = dunnock.generate({ids: prompt.slice(0, 16), max_tokens: 64, ignore_stop: true});
    return per_second({tokens: timings.tokens - 1, ms: timings.decode_ms});
  });
  dunnock.open(await model(bits.embed.model));
  const words = 'the wind carried rain across the hills and every bird fell silent '.repeat(9);
  const embed = [1, 100].map((count) => {
    const text = words.split(' ').slice(0, count).join(' ');
    let tokens;
    const ms = -best(20, () => {
      const reply = dunnock.embed({text});
      tokens = reply.tokens;
      return -reply.ms;
    });
    return {tokens, ms};
  });
  dunnock.close();
  return {build, threads, target, load_ms, prefill, decode, embed};
}
