/* Prints the embedding of each text, one value per line: embed MODEL TEXT...
 * Compiled with pkg-config: cc -std=c99 embed.c $(pkg-config --cflags --libs dunnock) */
#include <dunnock/dunnock_c.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  dunnock_error* error = NULL;
  dunnock_model* model = NULL;
  dunnock_embedder* embedder = NULL;
  dunnock_text* texts;
  float* values;
  size_t count, dimensions, i;

  if (argc < 3) {
    fprintf(stderr, "usage: embed MODEL TEXT...\n");
    return 2;
  }
  if (dunnock_model_load(argv[1], NULL, &model, &error) != DUNNOCK_OK ||
      dunnock_embedder_create(model, &embedder, &error) != DUNNOCK_OK)
    goto failed;

  count = (size_t)argc - 2;
  dimensions = dunnock_embedder_dimensions(embedder);
  texts = malloc(count * sizeof *texts);
  values = malloc(count * dimensions * sizeof *values); /* (count, dimensions) */
  if (texts == NULL || values == NULL) return 1;
  for (i = 0; i < count; ++i) {
    texts[i].data = argv[2 + i];
    texts[i].size = DUNNOCK_NUL_TERMINATED;
  }
  if (dunnock_embedder_embed(embedder, texts, count, NULL, values, NULL, &error) != DUNNOCK_OK)
    goto failed;
  for (i = 0; i < count * dimensions; ++i) printf("%.9g\n", (double)values[i]);

  free(values);
  free(texts);
  dunnock_embedder_free(embedder);
  dunnock_model_free(model);
  return 0;

failed:
  fprintf(stderr, "embed: %s\n", dunnock_error_message(error));
  dunnock_error_free(error);
  return 1;
}
