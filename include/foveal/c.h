/* foveal for C, and for every language that can call C: docs/c.md.
 *
 * Each function but foveal_version and foveal_last_error returns 0, or what the command foveal
 * would exit with (foveal_status); then foveal_last_error() says what was wrong. No exception
 * leaves, the process is never ended, nothing is printed. Results go to memory of the caller's,
 * described by foveal_tensor; it is neither kept nor freed. Arguments are checked before anything
 * is written. Any thread may call anything at any time. */
#ifndef FOVEAL_C_H
#define FOVEAL_C_H

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* major * 65536 + minor * 256 + patch, of the library that runs. */
uint32_t foveal_version(void);

/* Of this thread's last call: "" after one that succeeded. Never NULL; the text is this thread's,
 * and stands until its next call. */
const char* foveal_last_error(void);

enum foveal_status {
  FOVEAL_OK = 0,
  FOVEAL_USAGE = 2,    /* wrong by itself: a mask that doesn't parse, options not initialised */
  FOVEAL_DATA = 3,     /* a shape, dtype or number that breaks a rule; memory that ran out */
  FOVEAL_FILE = 4,     /* a file; nothing here reads one */
  FOVEAL_INTERNAL = 5, /* a mistake in foveal */
  FOVEAL_STOPPED = 130 /* foveal_options.stop said so */
};

/* DLPack's type code times 256, plus the bits. */
enum foveal_dtype {
  FOVEAL_INT64 = 0 * 256 + 64,
  FOVEAL_FLOAT16 = 2 * 256 + 16,
  FOVEAL_FLOAT32 = 2 * 256 + 32,
  FOVEAL_FLOAT64 = 2 * 256 + 64,
  FOVEAL_BFLOAT16 = 4 * 256 + 16,
  FOVEAL_BOOL = 6 * 256 + 8 /* one byte; each but 0 is true */
};

/* Memory of the caller's. Strides count elements, and must be filled in; they may be 0 or negative
 * where a tensor is read. What is written has a last stride of 1 and no two elements in one place.
 */
typedef struct foveal_tensor {
  void* data; /* the first element, aligned to its size; may be NULL where there are no elements */
  int32_t dtype;
  int32_t rank; /* 0 to 8 */
  int64_t shape[8];
  int64_t strides[8];
} foveal_tensor;

/* What an attention call does; docs/notation.md has the semantics. All zeros, but for size, are the
 * defaults. New members are only ever appended. A pointer may be NULL: absent. What is pointed to
 * is read during the call; docs/c.md says what a plan keeps. */
typedef struct foveal_options {
  size_t size; /* sizeof(foveal_options) of the header that the caller was compiled with */
  /* "causal(top_left) & window(128, 0)": docs/engine.md. An array is written as its number among
   * mask_tensors: "dense(0) | document(1)". No file is read. */
  const char* mask;
  const foveal_tensor* mask_tensors; /* dense: bool; document, padding: int64 */
  int32_t mask_tensor_count;
  int32_t has_scale;
  double scale; /* 1 / sqrt(D) without has_scale */
  double softcap;
  const foveal_tensor* bias;         /* floating, broadcast from the right to (B, H, L_q, L_k) */
  const foveal_tensor* alibi_slopes; /* floating (H) */
  const foveal_tensor* sinks;        /* floating (H) */
  double dropout;
  uint64_t seed;
  uint64_t offset;
  const foveal_tensor* dropout_mask;  /* bool, broadcast to (B, H, L_q, L_k): true keeps */
  const foveal_tensor* query_starts;  /* int64 (n + 1), of a packed batch */
  const foveal_tensor* key_starts;    /* int64 (n + 1) */
  const foveal_tensor* key_lengths;   /* int64 (B) */
  const foveal_tensor* query_offsets; /* int64 (B) */
  int64_t query_offset;               /* counts with has_query_offset alone */
  int32_t has_query_offset;
  int32_t strict; /* not 0: anything but the fused path is an error */
  int64_t key_offset;
  const foveal_tensor* rows; /* int64: queries whose weights foveal_result.rows takes */
  const char* target;        /* NULL or "": the best usable one */
  /* Asked between tasks, on the calling thread; not 0 ends the call with FOVEAL_STOPPED. It returns
   * normally: no exception and no longjmp passes. */
  int32_t (*stop)(void* user);
  void* stop_user;
  int32_t threads; /* of this call; 0: those of foveal_set_num_threads */
  int32_t reserved;
} foveal_options;

/* The defaults, size among them: foveal_options_init(&options, sizeof options). */
int32_t foveal_options_init(foveal_options* options, size_t size);

/* What is wanted, and where: NULL is not wanted. Zeros where nothing is said. Sums are float32, or
 * float64 where query is. */
typedef struct foveal_result {
  foveal_tensor* output;        /* (B, H, L_q, D_v), of the query's dtype */
  foveal_tensor* lse;           /* (B, H, L_q), sums */
  foveal_tensor* weights;       /* (B, H, L_q, L_k), sums */
  foveal_tensor* top_k_keys;    /* int64 (B, H, L_q, k) */
  foveal_tensor* top_k_weights; /* (B, H, L_q, k), sums */
  foveal_tensor* entropy;       /* (B, H, L_q), sums */
  foveal_tensor* maximum;       /* (B, H, L_q), sums */
  foveal_tensor* column_mass;   /* (B, H, L_k), sums */
  foveal_tensor* rows;          /* (B, H, rows, L_k), sums */
  uint64_t
      plan[4]; /* written by a call: a backward with other options refuses it. Zeros: unknown */
} foveal_result;

/* Where gradients go: NULL is not wanted. Each has the shape and dtype of what it is the gradient
 * of. */
typedef struct foveal_gradients {
  foveal_tensor* query;
  foveal_tensor* key;
  foveal_tensor* value;
  foveal_tensor* bias;
  foveal_tensor* sinks;
  foveal_tensor* alibi_slopes;
  int32_t add; /* not 0: added to what is there */
  int32_t reserved;
} foveal_gradients;

/* O = softmax(Q K^T * scale, masked) V. query (B, H, L_q, D), key (B, H_kv, L_k, D), value (B,
 * H_kv, L_k, D_v), of one floating dtype. options may be NULL. */
int32_t foveal_attention(const foveal_tensor* query, const foveal_tensor* key,
                         const foveal_tensor* value, const foveal_options* options,
                         foveal_result* result);

/* Gradients of a loss whose gradient by the output is grad_output. result holds the output and lse
 * that foveal_attention gave for the same arguments. */
int32_t foveal_attention_backward(const foveal_tensor* grad_output, const foveal_tensor* query,
                                  const foveal_tensor* key, const foveal_tensor* value,
                                  const foveal_result* result, const foveal_options* options,
                                  foveal_gradients* gradients);

/* A call that is planned once and run again and again, from several threads at a time if need be.
 */
typedef struct foveal_plan foveal_plan;

/* Of query, key and value only shape and dtype are read. *plan is NULL where this fails. */
int32_t foveal_plan_create(const foveal_tensor* query, const foveal_tensor* key,
                           const foveal_tensor* value, const foveal_options* options,
                           foveal_plan** plan);
int32_t foveal_plan_run(const foveal_plan* plan, const foveal_tensor* query,
                        const foveal_tensor* key, const foveal_tensor* value,
                        foveal_result* result);
int32_t foveal_plan_backward(const foveal_plan* plan, const foveal_tensor* grad_output,
                             const foveal_tensor* query, const foveal_tensor* key,
                             const foveal_tensor* value, const foveal_result* result,
                             foveal_gradients* gradients);
/* A few lines on the run that wants the output alone. Text functions write a 0 at the end; *length
 * (which may be NULL) is the text's, without it. A size of 0 asks for the length alone; one that is
 * too small for the text and its 0 is an error. */
int32_t foveal_plan_explain(const foveal_plan* plan, char* text, size_t size, size_t* length);
/* NULL is fine. No thread may be using the plan. */
int32_t foveal_plan_destroy(foveal_plan* plan);

/* A part of the result over some of the keys; float32, or float64 where query is. All three are
 * needed. */
typedef struct foveal_partial {
  foveal_tensor* output;  /* (B, H, L_q, D_v), not yet divided */
  foveal_tensor* maximum; /* (B, H, L_q) */
  foveal_tensor* sum;     /* (B, H, L_q) */
} foveal_partial;

/* The part that these keys have; options.key_offset and query_offset say where they stand. */
int32_t foveal_state(const foveal_tensor* query, const foveal_tensor* key,
                     const foveal_tensor* value, const foveal_options* options,
                     foveal_partial* state);
/* Adds b to a. */
int32_t foveal_state_merge(foveal_partial* a, const foveal_partial* b);
/* Divides: output, of any floating dtype, and lse; the result's others must be NULL. */
int32_t foveal_state_finish(const foveal_partial* state, foveal_result* result);

/* Threads of later calls, the caller's included: 1 to 1024. */
int32_t foveal_set_num_threads(int32_t count);

/* The targets that this CPU can run, from portable to the best, a line each; text as of
 * foveal_plan_explain. */
int32_t foveal_targets(char* text, size_t size, size_t* length);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop

#endif
