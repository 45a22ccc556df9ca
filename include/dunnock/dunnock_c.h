/* Dunnock's C interface: load a small language model, generate text with it, embed and rerank
 * texts.
 *
 * Handles. Every object is an opaque handle that a function of this header creates and the function
 * `..._free` of the same name destroys; those accept NULL. A session, an embedder or a reranker
 * keeps what it needs of its model alive, so handles may be freed in any order.
 *
 * Errors. A function that can fail returns a dunnock_status, DUNNOCK_OK (0) on success, and takes a
 * `dunnock_error** error` as its last argument, which may be NULL. On failure *error is a new error
 * that the caller frees with dunnock_error_free; on success *error is NULL. Results behind pointers
 * are written on success only. No C++ exception and no failed check leaves this library: a NULL
 * handle or an argument out of range is an error of status DUNNOCK_ERROR_INVALID.
 *
 * Texts are UTF-8. Where a function takes `const char* text, size_t size`, size counts bytes, or is
 * DUNNOCK_NUL_TERMINATED for a C string; text may be NULL where size is 0. Bytes that are not UTF-8
 * are read as U+FFFD. Special tokens inside a text are text, unless a function says otherwise.
 *
 * Memory. What a function allocates for its caller (ids, texts) is freed with dunnock_free.
 * Arguments are read during the call only, except for the bytes given to dunnock_files_add.
 *
 * Threads. Functions may be called from any thread. A model is immutable: any number of threads may
 * use one at once. Sessions, embedders, rerankers and search sets are for one thread at a time:
 * give each thread its own. Results do not depend on the number of threads.
 *
 * Options. A struct of options begins with its size, which its `..._init` function sets together
 * with the defaults: dunnock_model_options options; dunnock_model_options_init(&options, sizeof
 * options); So a program that was compiled against an older header keeps working with a newer
 * library of the same ABI version. NULL in place of options means the defaults. */

#ifndef DUNNOCK_DUNNOCK_C_H_
#define DUNNOCK_DUNNOCK_C_H_

#include <stddef.h>
#include <stdint.h>

#define DUNNOCK_VERSION_MAJOR 0
#define DUNNOCK_VERSION_MINOR 1
#define DUNNOCK_VERSION_PATCH 0

/* Changes only when programs that use the library have to be compiled again. */
#define DUNNOCK_ABI_VERSION 1

#if defined(__GNUC__)
#define DUNNOCK_API __attribute__((visibility("default")))
#else
#define DUNNOCK_API
#endif

/* In C++ the enums below hold any int: a value of a newer library is no undefined behaviour. */
#ifdef __cplusplus
#define DUNNOCK_ANY_INT : int
#else
#define DUNNOCK_ANY_INT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version ---- */

/* The library's version, "0.1.0". Never freed. */
DUNNOCK_API const char* dunnock_version(void);
DUNNOCK_API uint32_t dunnock_abi_version(void);

/* ---- Errors ---- */

typedef enum dunnock_status DUNNOCK_ANY_INT {
  DUNNOCK_OK = 0,
  DUNNOCK_ERROR_INVALID = 1,     /* an input breaks its format, or an argument is out of range */
  DUNNOCK_ERROR_UNSUPPORTED = 2, /* well-formed, but the library or the model cannot do it */
  DUNNOCK_ERROR_NOT_FOUND = 3,   /* a file, tensor, model or key is missing */
  DUNNOCK_ERROR_LIMIT = 4,       /* a limit that the message names was exceeded */
  DUNNOCK_ERROR_IO = 5,          /* the operating system refused to read or write */
  DUNNOCK_ERROR_NETWORK = 6,     /* kept for later versions: no function here opens a connection */
  DUNNOCK_ERROR_MEMORY = 7,      /* memory cannot be had, or is above the budget */
  DUNNOCK_ERROR_CANCELLED = 8,   /* kept for later versions: a cancelled reply is no error */
  DUNNOCK_ERROR_INTERNAL = 9     /* a mistake inside the library: please report it */
} dunnock_status;

/* What a caller can do about an error, where that does not follow from the input alone. */
typedef enum dunnock_remedy DUNNOCK_ANY_INT {
  DUNNOCK_REMEDY_NONE = 0,
  DUNNOCK_REMEDY_PLAIN_PROMPT = 1,  /* there is no chat template: complete a prompt as it is */
  DUNNOCK_REMEDY_TOKEN_IDS = 2,     /* there is no tokenizer: pass and take token ids */
  DUNNOCK_REMEDY_FEWER_TOKENS = 3,  /* shorten the prompt, or ask for a shorter reply */
  DUNNOCK_REMEDY_EMBED = 4,         /* the model is an encoder: create an embedder */
  DUNNOCK_REMEDY_GENERATE = 5,      /* the model is a decoder: create a session */
  DUNNOCK_REMEDY_CUT_TEXTS = 6,     /* allow that texts are cut to what the model reads */
  DUNNOCK_REMEDY_KNOWN_MODELS = 7,  /* use an id of the catalogue (docs/models.md) */
  DUNNOCK_REMEDY_NEWER_LIBRARY = 8, /* the program needs a newer version of the library */
  DUNNOCK_REMEDY_LESS_MEMORY = 9    /* a shorter context, fewer texts at once, a smaller model */
} dunnock_remedy;

typedef struct dunnock_error dunnock_error;

/* Of NULL: DUNNOCK_OK, DUNNOCK_REMEDY_NONE and "". The message says where the fault is, what was
 * expected and what was found; it lives as long as the error. */
DUNNOCK_API dunnock_status dunnock_error_status(const dunnock_error* error);
DUNNOCK_API dunnock_remedy dunnock_error_remedy(const dunnock_error* error);
DUNNOCK_API const char* dunnock_error_message(const dunnock_error* error);
DUNNOCK_API void dunnock_error_free(dunnock_error* error);

/* "ok", "invalid", "unsupported", ...; never NULL, never freed. */
DUNNOCK_API const char* dunnock_status_name(dunnock_status status);

/* Fails, with DUNNOCK_REMEDY_NEWER_LIBRARY where that helps, unless the library has the ABI version
 * that the program was compiled for: call it once with DUNNOCK_ABI_VERSION where the library is
 * loaded at run time. */
DUNNOCK_API dunnock_status dunnock_check_abi(uint32_t abi_version, dunnock_error** error);

/* ---- The process ---- */

/* Frees ids and texts that this library allocated. */
DUNNOCK_API void dunnock_free(void* memory);

/* The largest number of bytes that weights, caches and activations of this process may take
 * together. What is above it fails with DUNNOCK_ERROR_MEMORY; what exists stays. 0, the default,
 * means no limit. */
DUNNOCK_API void dunnock_set_memory_budget(uint64_t bytes);
DUNNOCK_API uint64_t dunnock_memory_in_use(void); /* bytes */

/* The instruction set in use: "scalar", "sse4", "avx2", "avx512", "neon", "wasm", ... Never freed.
 * Results do not depend on it. */
DUNNOCK_API const char* dunnock_target(void);
/* Forces another one for the whole process, for proofs and bug reports; not while a model runs. */
DUNNOCK_API dunnock_status dunnock_force_target(const char* target, dunnock_error** error);

/* ---- Texts ---- */

#define DUNNOCK_NUL_TERMINATED ((size_t)-1)

/* A text in an array or in options; see the rules at the top. */
typedef struct dunnock_text {
  const char* data;
  size_t size; /* bytes, or DUNNOCK_NUL_TERMINATED */
} dunnock_text;

typedef struct dunnock_message {
  dunnock_text role; /* "system", "user", "assistant", or what else the template knows */
  dunnock_text content;
} dunnock_message;

/* ---- Files ---- */

/* The files of one model by name: those of a checkpoint folder or of a bundle ("config.json",
 * "model.safetensors", "1_Pooling/config.json"), or one GGUF file. A set is for one thread at a
 * time. It is read by dunnock_model_open and may be freed right after that; free it, so that
 * weights that were converted while loading do not stay in memory twice. */
typedef struct dunnock_files dunnock_files;

/* Called with `user` once the library needs the bytes no more, from any thread: when the last of
 * the file set and the models that were opened from it is freed. It must not call this library. */
typedef void (*dunnock_release_fn)(void* user);

DUNNOCK_API dunnock_status dunnock_files_create(dunnock_files** files, dunnock_error** error);
DUNNOCK_API void dunnock_files_free(dunnock_files* files);

/* Adds the bytes of a file without copying them, in place of a file of the same name. The bytes
 * must stay valid and unchanged until `release` is called; with a NULL `release` they belong to the
 * caller and must outlive the file set and every model opened from it. Where this fails, release is
 * not called. A name is relative, with forward slashes. */
DUNNOCK_API dunnock_status dunnock_files_add(dunnock_files* files, const char* name,
                                             const void* bytes, size_t size,
                                             dunnock_release_fn release, void* user,
                                             dunnock_error** error);

/* Adds every file below a folder, or one file (of a GGUF model in parts, all of them). Files are
 * mapped, and must not be changed while a model uses them. Where there is no file system
 * (WebAssembly) this fails with DUNNOCK_ERROR_UNSUPPORTED. */
DUNNOCK_API dunnock_status dunnock_files_add_path(dunnock_files* files, const char* path,
                                                  dunnock_error** error);

/* ---- Models ---- */

/* A loaded model with its tokenizer, chat template and generation config. Immutable. */
typedef struct dunnock_model dunnock_model;

enum {
  DUNNOCK_COMPUTE_AUTO = 0, /* integer matrix products */
  DUNNOCK_COMPUTE_F32 = 1   /* everything in float32: slower, what references are compared with */
};

enum {
  DUNNOCK_KV_CACHE_AUTO = 0, /* float32 with DUNNOCK_COMPUTE_F32, else int8 */
  DUNNOCK_KV_CACHE_F32 = 1,
  DUNNOCK_KV_CACHE_F16 = 2,
  DUNNOCK_KV_CACHE_INT8 = 3
};

/* Steps done of a stage such as "loading layers"; total is 0 where it is not known. Called from a
 * working thread, at most some tens of times per second. It must not call this library. */
typedef void (*dunnock_progress_fn)(void* user, const char* stage, uint64_t done, uint64_t total);

typedef struct dunnock_model_options {
  size_t struct_size;
  int32_t compute;  /* DUNNOCK_COMPUTE_... */
  int32_t kv_cache; /* DUNNOCK_KV_CACHE_...: how keys and values are kept */
  uint32_t threads; /* 1 to 256; 0: the physical cores that this process may use */
  /* Compute on the threads of another model, in place of threads of its own. */
  const struct dunnock_model* share_threads_of;
  /* An id, alias or repository of the catalogue: fills what it knows and the files lack (a chat
   * template, texts that end a turn, recommended sampling, the prompts of an embedder). */
  const char* catalogue_id;
  /* The Jinja source of a chat template: in place of the model's own, or only where it has none.
   * `fallback_template` wins over the catalogue's. */
  dunnock_text chat_template;
  dunnock_text fallback_template;
  /* Texts that end a turn under the fallback template. */
  const dunnock_text* fallback_stop_texts;
  size_t fallback_stop_text_count;
  dunnock_progress_fn on_progress;
  void* user; /* for on_progress */
} dunnock_model_options;

DUNNOCK_API void dunnock_model_options_init(dunnock_model_options* options, size_t struct_size);

/* Loads the model of a set of files. A checkpoint without a tokenizer loads as well; functions that
 * need one then fail with DUNNOCK_REMEDY_TOKEN_IDS. */
DUNNOCK_API dunnock_status dunnock_model_open(const dunnock_files* files,
                                              const dunnock_model_options* options,
                                              dunnock_model** model, dunnock_error** error);
/* The same from a folder or a GGUF file. */
DUNNOCK_API dunnock_status dunnock_model_load(const char* path,
                                              const dunnock_model_options* options,
                                              dunnock_model** model, dunnock_error** error);
DUNNOCK_API void dunnock_model_free(dunnock_model* model);

/* Texts in it live as long as the model. */
typedef struct dunnock_model_info {
  size_t struct_size;
  const char* model_type; /* "llama", "openelm", "bert" */
  int32_t causal;         /* 1: generates text; 0: an encoder, which embeds or reranks */
  int32_t has_tokenizer;
  int32_t has_chat_template;
  int32_t kv_cache;      /* DUNNOCK_KV_CACHE_... in use */
  size_t context_length; /* tokens */
  size_t vocab_size;     /* token ids are below it */
  size_t hidden_size;
  size_t layers;
  size_t labels;  /* outputs of a classifier: 1 of a reranker, 0: there is none */
  size_t threads; /* in use */
} dunnock_model_info;

/* The caller sets info->struct_size to sizeof *info. */
DUNNOCK_API dunnock_status dunnock_model_get_info(const dunnock_model* model,
                                                  dunnock_model_info* info, dunnock_error** error);

/* What its user should know of the model: settings that are not done, tensors that are not used.
 * A note lives as long as the model; NULL beyond the count. */
DUNNOCK_API size_t dunnock_model_note_count(const dunnock_model* model);
DUNNOCK_API const char* dunnock_model_note(const dunnock_model* model, size_t index);

enum {
  DUNNOCK_TOKENIZE_ADD_SPECIAL = 1,  /* add what the tokenizer puts around a text: <s>, [CLS] */
  DUNNOCK_TOKENIZE_PARSE_SPECIAL = 2 /* the text of a special token becomes the token: never for */
                                     /* text that a user wrote */
};

/* Token ids of a text; flags are DUNNOCK_TOKENIZE_... or 0. The caller frees *ids with
 * dunnock_free; it is not NULL where *count is 0. */
DUNNOCK_API dunnock_status dunnock_model_tokenize(const dunnock_model* model, const char* text,
                                                  size_t size, uint32_t flags, int32_t** ids,
                                                  size_t* count, dunnock_error** error);

/* The text of token ids, with a NUL behind its *size bytes. Special tokens are left out unless
 * keep_special is not 0. The caller frees *text with dunnock_free. `size` may be NULL. */
DUNNOCK_API dunnock_status dunnock_model_detokenize(const dunnock_model* model, const int32_t* ids,
                                                    size_t count, int32_t keep_special, char** text,
                                                    size_t* size, dunnock_error** error);

/* The ids of a conversation under the chat template, ready for the assistant's answer. What the
 * messages say is never parsed for special tokens. */
DUNNOCK_API dunnock_status dunnock_model_tokenize_chat(const dunnock_model* model,
                                                       const dunnock_message* messages,
                                                       size_t count, int32_t** ids,
                                                       size_t* id_count, dunnock_error** error);

/* The text of a conversation under the chat template, to be looked at. To run it use
 * dunnock_model_tokenize_chat: the text does not tell the template's words from the user's. */
DUNNOCK_API dunnock_status dunnock_model_render_chat(const dunnock_model* model,
                                                     const dunnock_message* messages, size_t count,
                                                     int32_t add_generation_prompt, char** text,
                                                     size_t* size, dunnock_error** error);

/* A checksum over the bits of the logits at every position of the ids (of an encoder: of its last
 * hidden states): the same on every machine, for every number of threads, every split and batch.
 * split: tokens of a first pass, or 0 for one pass; batch: sequences that run together, at least 1.
 * Encodings of weights and of the key-value cache do change it. */
DUNNOCK_API dunnock_status dunnock_model_checksum(const dunnock_model* model, const int32_t* ids,
                                                  size_t count, size_t split, size_t batch,
                                                  uint64_t* checksum, dunnock_error** error);

/* Folds the bits of some values into a running checksum, which begins as 0. */
DUNNOCK_API uint64_t dunnock_fold_checksum(uint64_t checksum, const float* values, size_t count);

/* ---- Generating text ---- */

/* A conversation with a causal model: its key-value cache and the tokens in it. A prompt that
 * begins like what is in the cache only costs its new part. */
typedef struct dunnock_session dunnock_session;

/* context_length 0 means the model's own, which is also the largest. */
DUNNOCK_API dunnock_status dunnock_session_create(const dunnock_model* model, size_t context_length,
                                                  dunnock_session** session, dunnock_error** error);
DUNNOCK_API void dunnock_session_free(dunnock_session* session);
DUNNOCK_API size_t dunnock_session_context_length(const dunnock_session* session);
/* Tokens in the cache. */
DUNNOCK_API size_t dunnock_session_used(const dunnock_session* session);
/* Forgets all of them. */
DUNNOCK_API dunnock_status dunnock_session_clear(dunnock_session* session, dunnock_error** error);

/* A flag that ends replies: any thread may set it while another one generates; the reply then ends
 * within the time of a layer, with what it has. It must outlive the calls that it is given to. */
typedef struct dunnock_cancel dunnock_cancel;

DUNNOCK_API dunnock_status dunnock_cancel_create(dunnock_cancel** cancel, dunnock_error** error);
DUNNOCK_API void dunnock_cancel_free(dunnock_cancel* cancel);
/* Sets the flag, or takes it back (0). Does nothing with NULL. Safe in a signal handler. */
DUNNOCK_API void dunnock_cancel_set(dunnock_cancel* cancel, int32_t cancelled);
DUNNOCK_API int32_t dunnock_cancel_is_set(const dunnock_cancel* cancel);

typedef struct dunnock_logit_bias {
  int32_t id;
  float bias; /* added to the token's logit; -INFINITY forbids it */
} dunnock_logit_bias;

/* Text of the reply as it comes: whole UTF-8 characters, not NUL-terminated. Returns 0 to go on;
 * anything else ends the reply. Called on the thread that generates. It must neither use the
 * session nor throw an exception. */
typedef int32_t (*dunnock_text_fn)(void* user, const char* text, size_t size);

/* as many tokens as the context has room for */
#define DUNNOCK_UNTIL_FULL ((size_t)-1)

/* Steps apply in the order of transformers' generate(): logit bias, penalties, temperature, top_k,
 * top_p, min_p, typical_p, cutoffs, one draw. The model's own token rules (suppressed tokens, bad
 * words, ...) always apply. */
typedef struct dunnock_generate_options {
  size_t struct_size;
  /* The largest number of tokens of the reply. 0: what the model's generation config says, else
   * DUNNOCK_UNTIL_FULL. An error where prompt and reply do not fit the context. */
  size_t max_tokens;
  double temperature;    /* 0 (the default): greedy, the likeliest token each time; to 100 */
  int32_t top_k;         /* only the k likeliest tokens; 0 (the default): off */
  double top_p;          /* the smallest set of tokens with this total probability; 1: off */
  double min_p;          /* only tokens at least this times as likely as the likeliest; 0: off */
  double typical_p;      /* locally typical tokens of this total probability; 1: off */
  double epsilon_cutoff; /* only tokens at least this likely; 0: off */
  double eta_cutoff;     /* the same, lower where the distribution is even; 0: off */
  double repetition_penalty; /* 0.01 to 100, over prompt and reply; 1: off */
  double frequency_penalty;  /* -100 to 100, per occurrence in the reply; 0: off */
  double presence_penalty;   /* -100 to 100, of what is in the reply; 0: off */
  uint64_t seed;             /* the same seed gives the same reply on every machine */
  const dunnock_logit_bias* logit_bias;
  size_t logit_bias_count;
  /* Texts that end the reply, beside those of the generation config; not part of the reply. */
  const dunnock_text* stop;
  size_t stop_count;
  /* Prompt-lookup decoding: the largest number of tokens guessed per pass from earlier text; 0:
   * off. The reply is the same. */
  size_t prompt_lookup;
  int32_t ignore_stop_ids; /* 1: go on behind the model's end tokens */
  int32_t ids_only;        /* 1: no text is decoded, no tokenizer is needed */
  int32_t conversation;    /* 1: texts that end a turn under the template end the reply as well; */
                           /* dunnock_session_chat always does so */
  const dunnock_cancel* cancel;
  dunnock_text_fn on_text;
  dunnock_progress_fn on_progress; /* tokens of the prompt that have run */
  void* user;                      /* for on_text and on_progress */
} dunnock_generate_options;

/* Neutral defaults: greedy, nothing else. */
DUNNOCK_API void dunnock_generate_options_init(dunnock_generate_options* options,
                                               size_t struct_size);
/* The defaults of the model's generation config, and what the catalogue recommends where that is
 * silent, in place of the neutral ones. NULL options in the functions below mean these. */
DUNNOCK_API dunnock_status dunnock_model_generate_options(const dunnock_model* model,
                                                          dunnock_generate_options* options,
                                                          size_t struct_size,
                                                          dunnock_error** error);

typedef struct dunnock_reply dunnock_reply;

/* Answers a conversation under the model's chat template. */
DUNNOCK_API dunnock_status dunnock_session_chat(dunnock_session* session,
                                                const dunnock_message* messages, size_t count,
                                                const dunnock_generate_options* options,
                                                dunnock_reply** reply, dunnock_error** error);
/* Goes on from a text as it is. */
DUNNOCK_API dunnock_status dunnock_session_complete(dunnock_session* session, const char* text,
                                                    size_t size,
                                                    const dunnock_generate_options* options,
                                                    dunnock_reply** reply, dunnock_error** error);
/* Goes on from token ids, at least one. */
DUNNOCK_API dunnock_status dunnock_session_generate(dunnock_session* session, const int32_t* ids,
                                                    size_t count,
                                                    const dunnock_generate_options* options,
                                                    dunnock_reply** reply, dunnock_error** error);

typedef enum dunnock_finish_reason DUNNOCK_ANY_INT {
  DUNNOCK_FINISH_STOP = 0,     /* an end token or a stop text */
  DUNNOCK_FINISH_LENGTH = 1,   /* max_tokens, or the context is full */
  DUNNOCK_FINISH_CANCELLED = 2 /* the flag, or the callback's answer */
} dunnock_finish_reason;

typedef struct dunnock_reply_stats {
  size_t struct_size;
  size_t prompt_tokens;
  size_t cached_tokens;  /* of the prompt: found in the session's cache */
  size_t tokens;         /* of the reply */
  size_t guessed_tokens; /* by prompt lookup */
  size_t right_tokens;   /* guessed ones that came true */
  double prompt_ms;
  double first_token_ms; /* from the start to the first token */
  double decode_ms;      /* from the end of the prompt to the end of the reply */
  uint64_t checksum;     /* of the bits of every logits vector, in order */
} dunnock_reply_stats;

/* Texts and ids live as long as the reply. The text is NUL-terminated; size and count may be NULL.
 */
DUNNOCK_API const char* dunnock_reply_text(const dunnock_reply* reply, size_t* size);
/* Without the end token. */
DUNNOCK_API const int32_t* dunnock_reply_ids(const dunnock_reply* reply, size_t* count);
DUNNOCK_API const int32_t* dunnock_reply_prompt_ids(const dunnock_reply* reply, size_t* count);
DUNNOCK_API dunnock_finish_reason dunnock_reply_finish_reason(const dunnock_reply* reply);
/* "stop", "length", "cancelled". */
DUNNOCK_API const char* dunnock_finish_reason_name(dunnock_finish_reason reason);
/* The caller sets stats->struct_size to sizeof *stats. */
DUNNOCK_API dunnock_status dunnock_reply_get_stats(const dunnock_reply* reply,
                                                   dunnock_reply_stats* stats,
                                                   dunnock_error** error);
DUNNOCK_API void dunnock_reply_free(dunnock_reply* reply);

/* ---- Embedding texts ---- */

typedef struct dunnock_embedder dunnock_embedder;

DUNNOCK_API dunnock_status dunnock_embedder_create(const dunnock_model* model,
                                                   dunnock_embedder** embedder,
                                                   dunnock_error** error);
DUNNOCK_API void dunnock_embedder_free(dunnock_embedder* embedder);
/* Values per vector. */
DUNNOCK_API size_t dunnock_embedder_dimensions(const dunnock_embedder* embedder);
/* The largest number of tokens of a text, special ones included. */
DUNNOCK_API size_t dunnock_embedder_max_tokens(const dunnock_embedder* embedder);
/* What its vectors are made to be compared by: "cosine", "dot", ... */
DUNNOCK_API const char* dunnock_embedder_similarity(const dunnock_embedder* embedder);
/* The names that dunnock_embed_options.prompt_name may have; NULL beyond the count. */
DUNNOCK_API size_t dunnock_embedder_prompt_count(const dunnock_embedder* embedder);
DUNNOCK_API const char* dunnock_embedder_prompt_name(const dunnock_embedder* embedder,
                                                     size_t index);
/* Settings of the model's folder that are not done. */
DUNNOCK_API size_t dunnock_embedder_note_count(const dunnock_embedder* embedder);
DUNNOCK_API const char* dunnock_embedder_note(const dunnock_embedder* embedder, size_t index);

typedef struct dunnock_embed_options {
  size_t struct_size;
  const char* prompt_name; /* the prompt in front of each text; NULL: the model's default, if any */
  int32_t normalize;       /* 1 (the default): as the checkpoint says; 0: never */
  int32_t truncate;        /* 1: cut texts that are too long; 0 (the default): that is an error */
} dunnock_embed_options;

DUNNOCK_API void dunnock_embed_options_init(dunnock_embed_options* options, size_t struct_size);

/* Of one text. */
typedef struct dunnock_token_count {
  size_t tokens;     /* that the model read, special ones included */
  size_t cut_tokens; /* that were left out */
} dunnock_token_count;

/* Writes the vectors of `count` texts to values, (count, dimensions) floats in row-major order that
 * the caller provides. `token_counts` is NULL or has room for `count`. A vector does not depend on
 * the other texts. */
DUNNOCK_API dunnock_status dunnock_embedder_embed(dunnock_embedder* embedder,
                                                  const dunnock_text* texts, size_t count,
                                                  const dunnock_embed_options* options,
                                                  float* values, dunnock_token_count* token_counts,
                                                  dunnock_error** error);

/* The same from token ids, special tokens included: the ids of all texts one behind the other, and
 * the number of each. No tokenizer is needed. */
DUNNOCK_API dunnock_status dunnock_embedder_embed_ids(dunnock_embedder* embedder,
                                                      const int32_t* ids, const size_t* lengths,
                                                      size_t count, int32_t normalize,
                                                      float* values, dunnock_error** error);

/* ---- Reranking passages ---- */

/* A cross-encoder: how well passages answer a query. Scores of different queries do not compare. */
typedef struct dunnock_reranker dunnock_reranker;

DUNNOCK_API dunnock_status dunnock_reranker_create(const dunnock_model* model,
                                                   dunnock_reranker** reranker,
                                                   dunnock_error** error);
DUNNOCK_API void dunnock_reranker_free(dunnock_reranker* reranker);
/* The largest number of tokens of query and passage together. */
DUNNOCK_API size_t dunnock_reranker_max_tokens(const dunnock_reranker* reranker);
DUNNOCK_API size_t dunnock_reranker_note_count(const dunnock_reranker* reranker);
DUNNOCK_API const char* dunnock_reranker_note(const dunnock_reranker* reranker, size_t index);

typedef struct dunnock_rerank_score {
  float logit;       /* of the model's one label */
  float score;       /* the logit, or its sigmoid where the checkpoint says so */
  size_t tokens;     /* of query and passage that the model read */
  size_t cut_tokens; /* that were left out */
} dunnock_rerank_score;

/* Writes the scores of `count` passages to `scores`, which the caller provides, in their order.
 * truncate 1: a pair that is too long is cut, the longer text first; 0: it is an error. */
DUNNOCK_API dunnock_status dunnock_reranker_score(dunnock_reranker* reranker, const char* query,
                                                  size_t query_size, const dunnock_text* passages,
                                                  size_t count, int32_t truncate,
                                                  dunnock_rerank_score* scores,
                                                  dunnock_error** error);

/* ---- Searching ---- */

/* Vectors in memory, compared by the cosine, exactly. */
typedef struct dunnock_search_set dunnock_search_set;

DUNNOCK_API dunnock_status dunnock_search_set_create(size_t dimensions, dunnock_search_set** set,
                                                     dunnock_error** error);
DUNNOCK_API void dunnock_search_set_free(dunnock_search_set* set);
DUNNOCK_API size_t dunnock_search_set_size(const dunnock_search_set* set);
/* Adds copies of (count, dimensions) finite values. */
DUNNOCK_API dunnock_status dunnock_search_set_add(dunnock_search_set* set, const float* vectors,
                                                  size_t count, dunnock_error** error);

typedef struct dunnock_hit {
  size_t index; /* in the order of dunnock_search_set_add */
  float score;  /* cosine, -1 to 1 */
} dunnock_hit;

/* Writes the `most` vectors nearest to query (dimensions) to `hits`, best first, the earlier one
 * first among equals; *found is how many they are. Several threads may do this at once while none
 * adds. */
DUNNOCK_API dunnock_status dunnock_search_set_nearest(const dunnock_search_set* set,
                                                      const float* query, size_t most,
                                                      dunnock_hit* hits, size_t* found,
                                                      dunnock_error** error);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* DUNNOCK_DUNNOCK_C_H_ */
