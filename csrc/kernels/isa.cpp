// One instruction set's kernel table; compiled once per instruction set with
// SE_HPO_ISA (the name), SE_HPO_VECTOR_BYTES and SE_HPO_VECTOR_REGISTERS defined.
#include "actor_critic.hpp"
#include "gather.hpp"
#include "gradient.hpp"
#include "kernels.hpp"
#include "layer_norm.hpp"
#include "learning.hpp"
#include "peak.hpp"
#include "single.hpp"

#define SE_HPO_STRING_(x) #x
#define SE_HPO_STRING(x) SE_HPO_STRING_(x)
#define SE_HPO_JOIN_(a, b) a##b
#define SE_HPO_JOIN(a, b) SE_HPO_JOIN_(a, b)

namespace se_hpo {

extern const Kernels SE_HPO_JOIN(kKernels_, SE_HPO_ISA);
const Kernels SE_HPO_JOIN(kKernels_, SE_HPO_ISA) = {
    SE_HPO_STRING(SE_HPO_ISA),
    kWidth,
    gather,
    forward,
    activate,
    backward_input,
    accumulate,
    collect,
    collect_sums,
    weight_sum_size,
    scratch_size,
    prelu_backward,
    double_q_delta,
    adam_polyak,
    adam,
    normalize,
    normalize_backward,
    gumbel_noise,
    normal_noise,
    gumbel_softmax,
    gumbel_softmax_backward,
    tanh_backward,
    add_clipped,
    twin_target,
    value_delta,
    vector_forward,
    vector_output,
    peak,
};

}  // namespace se_hpo
