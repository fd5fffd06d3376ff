/* Each function of foveal/c.h, called from C. What it computes is checked against a plain loop. */
#include <foveal/c.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
  B = 2,
  H = 2,
  LQ = 7,
  LK = 9,
  D = 4,
  OUTPUT = B * H * LQ * D,
  KEYS = B * H * LK * D,
  ROWS = B * H * LQ
};

static int failures = 0;

static void check(int good, int line, const char* what) {
  if (good) return;
  ++failures;
  printf("door.c:%d: %s: %s\n", line, what, foveal_last_error());
}
#define CHECK(what) check((what) != 0, __LINE__, #what)

/* Dense rows of float32. */
static foveal_tensor tensor(float* data, int32_t rank, int64_t a, int64_t b, int64_t c, int64_t d) {
  foveal_tensor result;
  int64_t step = 1;
  int32_t axis;
  memset(&result, 0, sizeof result);
  result.data = data;
  result.dtype = FOVEAL_FLOAT32;
  result.rank = rank;
  result.shape[0] = a;
  result.shape[1] = b;
  result.shape[2] = c;
  result.shape[3] = d;
  for (axis = rank - 1; axis >= 0; --axis) {
    result.strides[axis] = step;
    step *= result.shape[axis];
  }
  return result;
}

static float query_numbers[OUTPUT], key_numbers[KEYS], value_numbers[KEYS];

static void fill(float* numbers, int count, int seed) {
  int n;
  for (n = 0; n < count; ++n) numbers[n] = (float)((n * 37 + seed) % 23) / 11.0f - 1.0f;
}

/* Where query i sees key j: the last query stands at the last key, and sees four keys. */
static int sees(int i, int j) {
  const int place = i + LK - LQ;
  return j <= place && j >= place - 3;
}

/* Of the output's element n. */
static double expected(int n) {
  const int d = n % D, i = n / D % LQ, head = n / D / LQ;
  const float* const q = query_numbers + (head * LQ + i) * D;
  double sum = 0, top = 0;
  int j, e;
  for (j = 0; j < LK; ++j) {
    double score = 0;
    if (!sees(i, j)) continue;
    for (e = 0; e < D; ++e) score += (double)q[e] * (double)key_numbers[(head * LK + j) * D + e];
    score = exp(score / sqrt((double)D));
    sum += score;
    top += score * (double)value_numbers[(head * LK + j) * D + d];
  }
  return top / sum;
}

static int is_expected(const float* output) {
  int n;
  for (n = 0; n < OUTPUT; ++n) {
    if (!(fabs((double)output[n] - expected(n)) < 1e-5)) return 0;
  }
  return 1;
}

static int32_t never(void* user) {
  ++*(int*)user;
  return 0;
}

static int32_t at_once(void* user) {
  (void)user;
  return 1;
}

int main(void) {
  static float output_numbers[OUTPUT], lse_numbers[ROWS], gradient_numbers[OUTPUT],
      again_numbers[OUTPUT];
  static float sums[2][ROWS], maxima[2][ROWS], outputs[2][OUTPUT];
  foveal_tensor query = tensor(query_numbers, 4, B, H, LQ, D),
                key = tensor(key_numbers, 4, B, H, LK, D);
  foveal_tensor value = tensor(value_numbers, 4, B, H, LK, D),
                output = tensor(output_numbers, 4, B, H, LQ, D);
  foveal_tensor lse = tensor(lse_numbers, 3, B, H, LQ, 0),
                gradient = tensor(gradient_numbers, 4, B, H, LQ, D);
  foveal_tensor again = tensor(again_numbers, 4, B, H, LQ, D);
  foveal_options options;
  foveal_result result;
  foveal_gradients gradients;
  foveal_plan* plan = NULL;
  char text[4096];
  size_t length = 0;
  int asked = 0, part, n;

  fill(query_numbers, OUTPUT, 3);
  fill(key_numbers, KEYS, 5);
  fill(value_numbers, KEYS, 8);
  memset(&result, 0, sizeof result);
  memset(&gradients, 0, sizeof gradients);
  result.output = &output;
  result.lse = &lse;

  CHECK(foveal_version() >= 256);
  CHECK(strcmp(foveal_last_error(), "") == 0);
  CHECK(foveal_set_num_threads(2) == FOVEAL_OK);
  CHECK(foveal_targets(text, sizeof text, &length) == FOVEAL_OK &&
        strncmp(text, "portable\n", 9) == 0);
  CHECK(strlen(text) == length);

  CHECK(foveal_options_init(&options, sizeof options) == FOVEAL_OK);
  options.mask = "causal(bottom_right) & window(3, 0)";
  options.stop = never;
  options.stop_user = &asked;
  CHECK(foveal_attention(&query, &key, &value, &options, &result) == FOVEAL_OK);
  CHECK(is_expected(output_numbers));
  CHECK(asked > 0);

  CHECK(foveal_plan_create(&query, &key, &value, &options, &plan) == FOVEAL_OK && plan != NULL);
  memset(output_numbers, 0, sizeof output_numbers);
  CHECK(foveal_plan_run(plan, &query, &key, &value, &result) == FOVEAL_OK);
  CHECK(is_expected(output_numbers));
  gradients.query = &gradient;
  CHECK(foveal_plan_backward(plan, &output, &query, &key, &value, &result, &gradients) ==
        FOVEAL_OK);
  gradients.query = &again;
  CHECK(foveal_attention_backward(&output, &query, &key, &value, &result, &options, &gradients) ==
        FOVEAL_OK);
  CHECK(memcmp(gradient_numbers, again_numbers, sizeof again_numbers) == 0);
  CHECK(foveal_plan_explain(plan, text, sizeof text, &length) == FOVEAL_OK &&
        strstr(text, "window(3, 0)") != NULL);
  CHECK(foveal_plan_destroy(plan) == FOVEAL_OK);

  {
    /* The keys in two parts. */
    foveal_tensor tensors[2][3];
    foveal_partial states[2];
    for (part = 0; part < 2; ++part) {
      const int first = part == 0 ? 0 : 4, count = part == 0 ? 4 : LK - 4;
      foveal_tensor keys = key, values = value;
      keys.data = key_numbers + first * D;
      values.data = value_numbers + first * D;
      keys.shape[2] = values.shape[2] = count;
      tensors[part][0] = tensor(outputs[part], 4, B, H, LQ, D);
      tensors[part][1] = tensor(maxima[part], 3, B, H, LQ, 0);
      tensors[part][2] = tensor(sums[part], 3, B, H, LQ, 0);
      states[part].output = &tensors[part][0];
      states[part].maximum = &tensors[part][1];
      states[part].sum = &tensors[part][2];
      options.has_query_offset = 1;
      options.query_offset = LK - LQ;
      options.key_offset = first;
      CHECK(foveal_state(&query, &keys, &values, &options, &states[part]) == FOVEAL_OK);
    }
    CHECK(foveal_state_merge(&states[0], &states[1]) == FOVEAL_OK);
    memset(output_numbers, 0, sizeof output_numbers);
    CHECK(foveal_state_finish(&states[0], &result) == FOVEAL_OK);
    CHECK(is_expected(output_numbers));
  }

  for (n = 0; n < OUTPUT; ++n) output_numbers[n] = 9;
  options.key_offset = 0;
  options.mask = "causal(";
  CHECK(foveal_attention(&query, &key, &value, &options, &result) == FOVEAL_USAGE);
  CHECK(strstr(foveal_last_error(), "mask, character") != NULL);
  options.mask = NULL;
  query.shape[3] = D + 1;
  CHECK(foveal_attention(&query, &key, &value, &options, &result) == FOVEAL_DATA);
  CHECK(strstr(foveal_last_error(), "query") != NULL);
  query.shape[3] = D;
  for (n = 0; n < OUTPUT; ++n) CHECK(output_numbers[n] == 9);
  options.stop = at_once;
  CHECK(foveal_attention(&query, &key, &value, &options, &result) == FOVEAL_STOPPED);

  if (failures == 0) printf("door: all good\n");
  return failures == 0 ? 0 : 1;
}
