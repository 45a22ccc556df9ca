"""What the peers' programs share: the same ids as `dunnock bench`, samples and medians, one JSON object out."""
import json, statistics, time

TEXT_TOKENS = (8, 16, 32, 128)
TEXTS, TOKENS = 32, 128


def some_ids(count, vocabulary, seed):
    """src/pipeline/bench.cc's SomeIds."""
    ids, state = [], seed
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        ids.append(state * vocabulary >> 32)
    return ids


WARM_UP_SECONDS = .3  # at least, and one call: caches, clocks and who runs where settle


def warm_up(work):
    start = time.perf_counter()
    while True:
        work()
        if time.perf_counter() - start > WARM_UP_SECONDS:
            return


def median_ms(work, repeat):
    """Median of `repeat` calls behind those that warm up."""
    warm_up(work)
    samples = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        samples.append(1000 * (time.perf_counter() - start))
    return statistics.median(samples)


def encoder_report(load_ms, run, run_many, vocabulary, repeat):
    """run(rows): last hidden states of the rows of ids, all equally long, in one call. run_many: the ways to do 32
    texts, {name: function of rows}; the fastest counts."""
    out = {"load_ms": load_ms}
    for tokens in TEXT_TOKENS:
        rows = [some_ids(tokens, vocabulary, 1)]
        out[f"text_ms.{tokens}"] = median_ms(lambda: run(rows), repeat)
    rows = [some_ids(TOKENS, vocabulary, i + 1) for i in range(TEXTS)]
    ways = {name: 1000 * TEXTS / median_ms(lambda: way(rows), repeat) for name, way in run_many.items()}
    best = max(ways, key=ways.get)
    return out | {f"texts_per_s.{TEXTS}x{TOKENS}": ways[best], "grouping": best}


def in_calls_of(run, size):
    def way(rows):
        for at in range(0, len(rows), size):
            run(rows[at:at + size])
    return way


def print_report(report):
    print(json.dumps(report))
