/* Goes on from a text: complete MODEL TEXT [MAX_TOKENS]
 * MODEL is a checkpoint folder or a GGUF file. Text comes as it is made; Ctrl-C ends it. */
#include <dunnock/dunnock_c.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static dunnock_cancel* cancel;

static void OnInterrupt(int signal_number) {
  (void)signal_number;
  dunnock_cancel_set(cancel, 1);
}

static int32_t OnText(void* user, const char* text, size_t size) {
  (void)user;
  fwrite(text, 1, size, stdout);
  fflush(stdout);
  return 0; /* go on */
}

static int Fail(dunnock_error* error) {
  fprintf(stderr, "complete: %s\n", dunnock_error_message(error));
  dunnock_error_free(error);
  return 1;
}

int main(int argc, char** argv) {
  dunnock_error* error = NULL;
  dunnock_model* model = NULL;
  dunnock_session* session = NULL;
  dunnock_reply* reply = NULL;
  dunnock_generate_options options;

  if (argc < 3) {
    fprintf(stderr, "usage: complete MODEL TEXT [MAX_TOKENS]\n");
    return 2;
  }
  if (dunnock_check_abi(DUNNOCK_ABI_VERSION, &error) != DUNNOCK_OK) return Fail(error);
  if (dunnock_model_load(argv[1], NULL, &model, &error) != DUNNOCK_OK) return Fail(error);
  if (dunnock_session_create(model, 0, &session, &error) != DUNNOCK_OK) return Fail(error);
  if (dunnock_cancel_create(&cancel, &error) != DUNNOCK_OK) return Fail(error);
  signal(SIGINT, OnInterrupt);

  dunnock_generate_options_init(&options, sizeof options);
  options.max_tokens = argc > 3 ? strtoul(argv[3], NULL, 10) : 64;
  options.on_text = OnText;
  options.cancel = cancel;
  if (dunnock_session_complete(session, argv[2], DUNNOCK_NUL_TERMINATED, &options, &reply,
                               &error) != DUNNOCK_OK)
    return Fail(error);
  printf("\n");

  dunnock_reply_free(reply);
  dunnock_session_free(session);
  dunnock_model_free(model);
  dunnock_cancel_free(cancel);
  return 0;
}
