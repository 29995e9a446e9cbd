// The numeric kernels, compiled once per instruction set and picked at run time.
//
// Everything works on panels: row-major blocks `rows x columns` in which a row is one
// feature and the columns are samples of the batch. A panel has `vectors` SIMD vectors
// of columns (1 to kMaxVectors), rows are contiguous, and unused columns hold copies.
#pragma once

#include <cstddef>
#include <cstdint>

namespace se_hpo {

enum class Activation : int { kTanh, kRelu, kLeakyRelu, kPrelu, kLinear };

constexpr float kLeakySlope = 0.01f;  // torch's default
constexpr float kPreluSlope = 0.25f;  // torch's initial value

constexpr int kMaxVectors = 3;

// One panel of a batch of transitions.
struct TransitionPanel {
  int vectors;              // SIMD vectors per row
  const float* state;       // obs_size x columns
  const float* next_state;  // obs_size x columns
  float* action;            // columns, the action's index; or an action vector below state
  const float* reward;      // columns
  const float* done;        // columns, the raw done
  float* next_action;       // with action vectors: room for one below next_state
  const float* scale;       // columns: 1 for a sample, 0 for padding
};

struct AdamStep {
  float step_size;        // lr / (1 - beta1^t)
  float inverse_root;     // 1 / sqrt(1 - beta2^t)
  float tau;              // Polyak factor
  float epsilon = 1e-8f;
};

// Functions that touch nothing but their arguments.
struct Kernels {
  const char* name;
  int width;  // floats per SIMD vector

  // Column c of a panel of `features` rows becomes row index[c] of `rows`; rows are
  // padded to whole vectors.
  void (*gather)(const float* rows, std::ptrdiff_t row_size, const std::uint32_t* index,
                 int features, float* panel, int vectors);

  // y = activation(w x + b); w is outputs x inputs. Prelu is left to `activate`.
  void (*forward)(const float* w, const float* b, int outputs, int inputs, const float* x,
                  float* y, int vectors, Activation activation);
  // In place on n floats; `slope` for prelu.
  void (*activate)(float* x, std::size_t n, Activation activation, float slope);

  // dx = (w^T dy) * activation'(h), the derivative taken from the activations `h`; for
  // prelu without the derivative (see prelu_backward).
  void (*backward_input)(const float* w, int outputs, int inputs, const float* dy,
                         const float* h, float* dx, int vectors, Activation activation);

  // Adds dy x^T and the row sums of dy to a layer's accumulators of weight_sum_size and
  // outputs * width floats. The first panel of an update overwrites them.
  void (*accumulate)(const float* dy, const float* x, int outputs, int inputs, int vectors,
                     float* weight_sum, float* bias_sum, float* scratch, bool first);
  // Reduces the accumulators to the gradient: outputs x inputs, then outputs.
  void (*collect)(const float* weight_sum, const float* bias_sum, int outputs, int inputs,
                  float* weight_gradient, float* bias_gradient);
  // to[i] = the sum of the i-th vector of `from`.
  void (*collect_sums)(const float* from, int n, float* to);
  std::size_t (*weight_sum_size)(int outputs, int inputs);
  std::size_t (*scratch_size)(int inputs);

  // Backward through a prelu, in place: dz = dh * (z > 0 ? 1 : slope). Returns the
  // slope's gradient, the sum of dh * min(z, 0).
  float (*prelu_backward)(float* dh, const float* z, std::size_t n, float slope);

  // delta[a] = 2 / batch * (q(s, a) - y) for the action taken, else 0, with
  // y = r + gamma (1 - d) q_target(s', argmax_a q_next(s', a)).
  // Returns the panel's sum of (q(s, a) - y)^2: not finite if any q or y is not.
  float (*double_q_delta)(const TransitionPanel& panel, const float* q, const float* q_next,
                          const float* q_target, int n_actions, float gamma, float factor,
                          float* delta);

  // Adam (Kingma & Ba 2015) and Polyak averaging in one pass over flat parameters.
  void (*adam_polyak)(float* parameters, float* target, float* m, float* v,
                      const float* gradient, std::size_t n, const AdamStep& step);
  // Adam alone.
  void (*adam)(float* parameters, float* m, float* v, const float* gradient, std::size_t n,
               const AdamStep& step);

  // Layer normalization of every column, in place, then gain and shift per row. Keeps the
  // columns without those (`normalized`) and one factor per column (`inverse_std`).
  void (*normalize)(const float* gain, const float* shift, int rows, float* x,
                    float* normalized, float* inverse_std, int vectors);
  // Backward, in place. Adds the gradients by gain and shift to accumulators of rows *
  // width floats, as `accumulate` does; none if `gain_sum` is null.
  void (*normalize_backward)(const float* gain, const float* normalized,
                             const float* inverse_std, int rows, float* dy, int vectors,
                             float* gain_sum, float* shift_sum, bool first);

  // Noise in the place of uniform numbers in (0, 1); n is rounded up to whole vectors.
  void (*gumbel_noise)(float* u, std::size_t n);
  void (*normal_noise)(float* u, std::size_t n);
  // soft = softmax over the actions of (logits + gumbel) / temperature; `action` is the
  // same, or if `hard` one-hot. Panels of n_actions rows.
  void (*gumbel_softmax)(const float* logits, const float* gumbel, int n_actions, int vectors,
                         float inverse_temperature, bool hard, float* soft, float* action);
  void (*gumbel_softmax_backward)(const float* soft, const float* d_action, int n_actions,
                                  int vectors, float inverse_temperature, float* d_logits);
  // dz = dh * tanh'(z), from h = tanh z; whole vectors.
  void (*tanh_backward)(const float* h, const float* dh, std::size_t n, float* dz);
  // x += factor * noise, clipped to [-clip, clip]; whole vectors.
  void (*add_clipped)(float* x, const float* noise, std::size_t n, float factor, float clip);
  // y = r + gamma (1 - d) min(q1, q2); NaN if any is.
  void (*twin_target)(const TransitionPanel& panel, const float* q1, const float* q2,
                      float gamma, float* y);
  // delta = factor (q - y), 0 for padding; returns the panel's sum of (q - y)^2.
  float (*value_delta)(const TransitionPanel& panel, const float* q, const float* y,
                       float factor, float* delta);

  // y = activation(b + w^T x) for one sample; w is inputs x stride, stride a multiple of
  // the width, y has stride entries.
  void (*vector_forward)(const float* w, const float* b, int inputs, int stride,
                         const float* x, float* y, Activation activation);
  // y = b + w x for one sample; w is outputs x stride, zero beyond the inputs.
  void (*vector_output)(const float* w, const float* b, int outputs, int stride,
                        const float* x, float* y);

  // Runs `rounds` of independent multiply-adds in registers; returns their number of
  // floating point operations. `sink` keeps the compiler from dropping them.
  double (*peak)(long rounds, float* sink);
};

// The best instruction set of this processor, or the one named; null if it is unknown
// or the processor lacks it.
const Kernels* find_kernels(const char* name);
const Kernels* best_kernels();
// Names of all compiled instruction sets that this processor has, null-terminated.
const char* const* usable_isas();

}  // namespace se_hpo
