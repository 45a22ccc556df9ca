/* The C interface, compiled as C99: a whole program's calls, and every way to call it wrongly. */

#include <dunnock/dunnock_c.h>
#include <string.h>

#define CHECK(condition)               \
  do {                                 \
    if (!(condition)) return __LINE__; \
  } while (0)

/* Expects an error of this status whose message holds the word, and frees it. */
static int Failed(dunnock_status status, dunnock_error** error, const char* word) {
  const int as_said = status == DUNNOCK_ERROR_INVALID && dunnock_error_status(*error) == status &&
                      strstr(dunnock_error_message(*error), word) != NULL;
  dunnock_error_free(*error);
  *error = NULL;
  return as_said;
}

static int NullHandles(void) {
  dunnock_error* e = NULL;
  dunnock_model* model = NULL;
  dunnock_session* session = NULL;
  dunnock_reply* reply = NULL;
  dunnock_model_info info;
  dunnock_generate_options options;
  dunnock_embedder* embedder = NULL;
  dunnock_reranker* reranker = NULL;
  dunnock_search_set* set = NULL;
  dunnock_cancel* cancel = NULL;
  dunnock_rerank_score score;
  dunnock_reply_stats stats;
  dunnock_hit hit;
  dunnock_text text = {"a", DUNNOCK_NUL_TERMINATED};
  int32_t* ids = NULL;
  char* out = NULL;
  float value = 0;
  uint64_t checksum = 0;
  size_t n = 0;
  memset(&info, 0, sizeof info);
  memset(&stats, 0, sizeof stats);

  CHECK(Failed(dunnock_files_create(NULL, &e), &e, "files"));
  CHECK(Failed(dunnock_files_add(NULL, "a", "b", 1, NULL, NULL, &e), &e, "files"));
  CHECK(Failed(dunnock_files_add_path(NULL, "a", &e), &e, "files"));
  CHECK(Failed(dunnock_model_open(NULL, NULL, &model, &e), &e, "files"));
  CHECK(Failed(dunnock_model_load(NULL, NULL, &model, &e), &e, "path"));
  CHECK(Failed(dunnock_model_load("x", NULL, NULL, &e), &e, "model"));
  CHECK(Failed(dunnock_model_get_info(NULL, &info, &e), &e, "model"));
  CHECK(Failed(dunnock_model_tokenize(NULL, "a", 1, 0, &ids, &n, &e), &e, "model"));
  CHECK(Failed(dunnock_model_detokenize(NULL, NULL, 0, 0, &out, NULL, &e), &e, "model"));
  CHECK(Failed(dunnock_model_tokenize_chat(NULL, NULL, 0, &ids, &n, &e), &e, "model"));
  CHECK(Failed(dunnock_model_render_chat(NULL, NULL, 0, 1, &out, NULL, &e), &e, "model"));
  CHECK(Failed(dunnock_model_checksum(NULL, NULL, 0, 0, 1, &checksum, &e), &e, "model"));
  CHECK(Failed(dunnock_model_generate_options(NULL, &options, sizeof options, &e), &e, "model"));
  CHECK(Failed(dunnock_session_create(NULL, 0, &session, &e), &e, "model"));
  CHECK(Failed(dunnock_session_clear(NULL, &e), &e, "session"));
  CHECK(Failed(dunnock_session_chat(NULL, NULL, 0, NULL, &reply, &e), &e, "session"));
  CHECK(Failed(dunnock_session_complete(NULL, "a", 1, NULL, &reply, &e), &e, "session"));
  CHECK(Failed(dunnock_session_generate(NULL, NULL, 0, NULL, &reply, &e), &e, "session"));
  CHECK(Failed(dunnock_cancel_create(NULL, &e), &e, "cancel"));
  CHECK(Failed(dunnock_reply_get_stats(NULL, &stats, &e), &e, "reply"));
  CHECK(Failed(dunnock_embedder_create(NULL, &embedder, &e), &e, "model"));
  CHECK(Failed(dunnock_embedder_embed(NULL, &text, 1, NULL, &value, NULL, &e), &e, "embedder"));
  CHECK(Failed(dunnock_embedder_embed_ids(NULL, NULL, NULL, 0, 1, &value, &e), &e, "embedder"));
  CHECK(Failed(dunnock_reranker_create(NULL, &reranker, &e), &e, "model"));
  CHECK(Failed(dunnock_reranker_score(NULL, "a", 1, &text, 1, 1, &score, &e), &e, "reranker"));
  CHECK(Failed(dunnock_search_set_create(1, NULL, &e), &e, "set"));
  CHECK(Failed(dunnock_search_set_create(0, &set, &e), &e, "dimensions"));
  CHECK(Failed(dunnock_search_set_add(NULL, &value, 1, &e), &e, "set"));
  CHECK(Failed(dunnock_search_set_nearest(NULL, &value, 1, &hit, &n, &e), &e, "set"));
  CHECK(Failed(dunnock_force_target(NULL, &e), &e, "target"));
  CHECK(dunnock_force_target("abacus", &e) != DUNNOCK_OK);
  CHECK(strstr(dunnock_error_message(e), "abacus") != NULL);
  dunnock_error_free(e);
  /* Without a place for the error. */
  CHECK(dunnock_model_load("", NULL, &model, NULL) != DUNNOCK_OK);

  CHECK(dunnock_model_note_count(NULL) == 0 && dunnock_model_note(NULL, 0) == NULL);
  CHECK(dunnock_session_used(NULL) == 0 && dunnock_session_context_length(NULL) == 0);
  CHECK(dunnock_cancel_is_set(NULL) == 0 && dunnock_search_set_size(NULL) == 0);
  CHECK(dunnock_embedder_dimensions(NULL) == 0 && dunnock_embedder_prompt_name(NULL, 0) == NULL);
  CHECK(*dunnock_reply_text(NULL, &n) == 0 && dunnock_reply_ids(NULL, &n) == NULL && n == 0);
  CHECK(dunnock_error_status(NULL) == DUNNOCK_OK && *dunnock_error_message(NULL) == 0);
  CHECK(dunnock_fold_checksum(5, NULL, 3) == 5);
  CHECK(strcmp(dunnock_status_name(DUNNOCK_ERROR_MEMORY), "memory") == 0);
  CHECK(strcmp(dunnock_status_name((dunnock_status)77), "unknown") == 0);
  dunnock_cancel_set(cancel, 1);
  dunnock_files_free(NULL);
  dunnock_model_free(NULL);
  dunnock_session_free(NULL);
  dunnock_reply_free(NULL);
  dunnock_cancel_free(NULL);
  dunnock_embedder_free(NULL);
  dunnock_reranker_free(NULL);
  dunnock_search_set_free(NULL);
  dunnock_error_free(NULL);
  dunnock_free(NULL);
  return 0;
}

/* Structs of another version's size. */
static int Sizes(const char* decoder) {
  dunnock_error* e = NULL;
  dunnock_model* model = NULL;
  struct {
    dunnock_model_options known;
    uint64_t later[2];
  } newer;
  dunnock_model_info info;

  memset(&newer, 0xff, sizeof newer);
  dunnock_model_options_init(&newer.known, sizeof newer);
  CHECK(newer.known.struct_size == sizeof newer && newer.later[0] == 0 && newer.later[1] == 0);
  CHECK(dunnock_model_load(decoder, &newer.known, &model, &e) == DUNNOCK_OK && e == NULL);
  dunnock_model_free(model);
  newer.later[1] = 1; /* an option that this library does not know */
  CHECK(dunnock_model_load(decoder, &newer.known, &model, &e) == DUNNOCK_ERROR_UNSUPPORTED);
  CHECK(dunnock_error_remedy(e) == DUNNOCK_REMEDY_NEWER_LIBRARY);
  dunnock_error_free(e);
  memset(&newer, 0, sizeof newer); /* the init function was forgotten */
  CHECK(Failed(dunnock_model_load(decoder, &newer.known, &model, &e), &e, "struct_size"));

  /* No byte behind the struct is touched. */
  memset(&newer, 0xff, sizeof newer);
  dunnock_model_options_init(&newer.known, sizeof newer.known);
  CHECK(newer.later[0] == UINT64_MAX);

  CHECK(dunnock_model_load(decoder, NULL, &model, &e) == DUNNOCK_OK);
  memset(&info, 0, sizeof info);
  CHECK(Failed(dunnock_model_get_info(model, &info, &e), &e, "struct_size"));
  info.struct_size = sizeof info;
  CHECK(dunnock_model_get_info(model, &info, &e) == DUNNOCK_OK);
  CHECK(strcmp(info.model_type, "llama") == 0 && info.causal == 1 && info.layers > 0);
  dunnock_model_free(model);
  return 0;
}

static int Generate(const char* decoder) {
  const int32_t prompt[] = {3, 1, 4, 1, 5};
  dunnock_error* e = NULL;
  dunnock_model* model = NULL;
  dunnock_session* session = NULL;
  dunnock_reply *reply = NULL, *again = NULL;
  dunnock_generate_options options;
  dunnock_reply_stats stats, other;
  const int32_t *ids, *same;
  size_t count = 0, same_count = 0;

  CHECK(dunnock_model_load(decoder, NULL, &model, &e) == DUNNOCK_OK);
  CHECK(dunnock_session_create(model, 64, &session, &e) == DUNNOCK_OK);
  CHECK(dunnock_model_generate_options(model, &options, sizeof options, &e) == DUNNOCK_OK);
  options.max_tokens = 12;
  options.temperature = 0.8;
  options.seed = 42;
  options.ignore_stop_ids = 1;
  CHECK(Failed(dunnock_session_generate(session, NULL, 5, &options, &reply, &e), &e, "ids"));
  CHECK(
      Failed(dunnock_session_generate(session, prompt, SIZE_MAX, &options, &reply, &e), &e, "ids"));
  CHECK(Failed(dunnock_session_generate(session, prompt, 5, &options, NULL, &e), &e, "reply"));
  options.stop_count = 1;
  CHECK(Failed(dunnock_session_generate(session, prompt, 5, &options, &reply, &e), &e, "stop"));
  options.stop_count = 0;
  CHECK(dunnock_session_generate(session, prompt, 5, &options, &reply, &e) == DUNNOCK_OK);
  CHECK(dunnock_session_generate(session, prompt, 5, &options, &again, &e) == DUNNOCK_OK);
  ids = dunnock_reply_ids(reply, &count);
  same = dunnock_reply_ids(again, &same_count);
  CHECK(count == 12 && same_count == 12 && memcmp(ids, same, sizeof *ids * count) == 0);
  CHECK(dunnock_reply_finish_reason(reply) == DUNNOCK_FINISH_LENGTH);
  memset(&stats, 0, sizeof stats);
  memset(&other, 0, sizeof other);
  stats.struct_size = other.struct_size = sizeof stats;
  CHECK(dunnock_reply_get_stats(reply, &stats, &e) == DUNNOCK_OK);
  CHECK(dunnock_reply_get_stats(again, &other, &e) == DUNNOCK_OK);
  CHECK(stats.checksum == other.checksum && stats.prompt_tokens == 5 && stats.tokens == 12);
  CHECK(stats.cached_tokens == 0 && other.cached_tokens == 4);
  dunnock_reply_free(reply);
  dunnock_reply_free(again);
  dunnock_session_free(session);
  dunnock_model_free(model);
  return 0;
}

static int Embed(const char* encoder) {
  dunnock_error* e = NULL;
  dunnock_model* model = NULL;
  dunnock_embedder* embedder = NULL;
  dunnock_search_set* set = NULL;
  dunnock_text texts[2];
  dunnock_token_count counts[2];
  dunnock_hit hits[3];
  float values[2 * 1024];
  size_t dimensions, found = 0;

  texts[0].data = "a small bird";
  texts[0].size = DUNNOCK_NUL_TERMINATED;
  texts[1].data = "rain, and more";
  texts[1].size = 4;
  CHECK(dunnock_model_load(encoder, NULL, &model, &e) == DUNNOCK_OK);
  CHECK(dunnock_embedder_create(model, &embedder, &e) == DUNNOCK_OK);
  dunnock_model_free(model);
  dimensions = dunnock_embedder_dimensions(embedder);
  CHECK(dimensions > 0 && dimensions <= 1024);
  CHECK(Failed(dunnock_embedder_embed(embedder, texts, 2, NULL, NULL, NULL, &e), &e, "values"));
  CHECK(Failed(dunnock_embedder_embed(embedder, NULL, 2, NULL, values, NULL, &e), &e, "text"));
  CHECK(dunnock_embedder_embed(embedder, texts, 2, NULL, values, counts, &e) == DUNNOCK_OK);
  CHECK(counts[0].tokens > counts[1].tokens && counts[1].cut_tokens == 0);
  CHECK(dunnock_search_set_create(dimensions, &set, &e) == DUNNOCK_OK);
  CHECK(dunnock_search_set_add(set, values, 2, &e) == DUNNOCK_OK);
  CHECK(dunnock_search_set_nearest(set, values + dimensions, 3, hits, &found, &e) == DUNNOCK_OK);
  CHECK(found == 2 && hits[0].index == 1 && hits[0].score >= hits[1].score);
  dunnock_search_set_free(set);
  dunnock_embedder_free(embedder);
  return 0;
}

/* 0: all held; else the line of the first check that did not. */
int RunCTest(const char* decoder, const char* encoder);

int RunCTest(const char* decoder, const char* encoder) {
  int line = NullHandles();
  if (line == 0) line = Sizes(decoder);
  if (line == 0) line = Generate(decoder);
  if (line == 0) line = Embed(encoder);
  return line;
}
