/* Generation with a cache, in C: a prompt is attended to in one call, then one token after the
 * other against the keys and values of all before it, in memory that is allocated once. The last
 * line compares the steps with one call over the whole text. */
#include <foveal/c.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEADS = 4, SIZE = 16, PROMPT = 40, STEPS = 24, LENGTH = PROMPT + STEPS };

static float queries[LENGTH][HEADS][SIZE], keys[LENGTH][HEADS][SIZE], values[LENGTH][HEADS][SIZE];
static float stepwise[LENGTH][HEADS][SIZE], at_once[LENGTH][HEADS][SIZE];

/* Rows `first` to `first + count - 1` of (L, H, D) in memory, as the (1, H, L, D) that foveal
 * takes. */
static foveal_tensor rows(float (*memory)[HEADS][SIZE], int first, int count) {
  foveal_tensor tensor = {
      .data = memory[first],
      .dtype = FOVEAL_FLOAT32,
      .rank = 4,
      .shape = {1, HEADS, count, SIZE},
      .strides = {(int64_t)LENGTH * HEADS * SIZE, SIZE, HEADS * SIZE, 1},
  };
  return tensor;
}

static void must(int32_t status) {
  if (status == FOVEAL_OK) return;
  fprintf(stderr, "cache: %s\n", foveal_last_error());
  exit(1);
}

/* `count` tokens from `first` on, each seeing all keys up to its own. */
static void attend(float (*output)[HEADS][SIZE], int first, int count) {
  foveal_options options;
  must(foveal_options_init(&options, sizeof options));
  options.mask = "causal(bottom_right)";
  foveal_tensor query = rows(queries, first, count), into = rows(output, first, count);
  foveal_tensor key = rows(keys, 0, first + count), value = rows(values, 0, first + count);
  foveal_result result = {.output = &into};
  must(foveal_attention(&query, &key, &value, &options, &result));
}

/* What a model would compute. */
static void fill(float* numbers, unsigned seed) {
  for (size_t n = 0; n < sizeof queries / sizeof(float); ++n) {
    seed = seed * 1664525u + 1013904223u;
    numbers[n] = (float)(seed >> 8) / (float)(1 << 23) - 1.0f;
  }
}

int main(void) {
  fill(&queries[0][0][0], 1);
  fill(&keys[0][0][0], 2);
  fill(&values[0][0][0], 3);

  attend(stepwise, 0, PROMPT);
  for (int token = PROMPT; token < LENGTH; ++token) attend(stepwise, token, 1);
  attend(at_once, 0, LENGTH);

  float largest = 0;
  for (size_t n = 0; n < sizeof at_once / sizeof(float); ++n) {
    const float difference = (&stepwise[0][0][0])[n] - (&at_once[0][0][0])[n];
    if (difference > largest) largest = difference;
    if (-difference > largest) largest = -difference;
  }
  printf("%d tokens, %d of them one by one: %s\n", LENGTH, STEPS,
         largest < 1e-5f ? "the same as at once" : "other numbers than at once");
  return largest < 1e-5f ? 0 : 1;
}
