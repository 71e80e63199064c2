// Linear layers. Lanes are blockIdx.z; `..._lane` is the floats from lane to lane. Matrices are row-major, their
// pitches whole vectors.
#include "product.cuh"

// output = act(input W + b + skip): rows x inputs times inputs x outputs.
template <class T>
__device__ __forceinline__ void linear_forward(u32 rows, u32 inputs, u32 input_pitch, u32 output_pitch, u32 relus,
                                               const float* input, u64 input_lane, const float* weight,
                                               const float* bias, u64 parameter_lane, const float* skip,
                                               u64 skip_lane, float* output, u64 output_lane) {
  const u64 lane = blockIdx.z;
  const AlongDepth left = {input + lane * input_lane, input_pitch, rows, inputs};
  const AcrossDepth right = {weight + lane * parameter_lane, output_pitch, output_pitch, inputs};
  const Outputs ends = {bias + lane * parameter_lane, skip ? skip + lane * skip_lane : nullptr,
                        output + lane * output_lane, output_pitch, relus};
  product<T>(left, right, ends, NoSums(), rows, output_pitch, inputs);
}

// d_weight (+)= input^T d_output, d_bias (+)= column sums of d_output: inputs x rows times rows x outputs.
template <class T>
__device__ __forceinline__ void linear_backward_weight(u32 rows, u32 inputs, u32 input_pitch, u32 output_pitch,
                                                       u32 add, const float* input, u64 input_lane,
                                                       const float* d_output, u64 d_output_lane, float* d_weight,
                                                       float* d_bias, u64 parameter_lane) {
  const u64 lane = blockIdx.z;
  const AcrossDepth left = {input + lane * input_lane, input_pitch, inputs, rows};
  const AcrossDepth right = {d_output + lane * d_output_lane, output_pitch, output_pitch, rows};
  const Gradients ends = {d_weight + lane * parameter_lane, output_pitch, add};
  const ColumnSums sums = {d_bias + lane * parameter_lane, add != 0};
  product<T>(left, right, ends, sums, inputs, output_pitch, rows);
}

// The gradient of a linear layer's input.
struct InputRows {
  const float* input;
  float* to;
  u32 pitch;
  u32 add;
  u32 through;

  __device__ __forceinline__ float4 start(u32 row, u32 column) const {
    return add ? quad_at(to + static_cast<u64>(row) * pitch + column) : zeros();
  }

  __device__ __forceinline__ void finish(u32 row, u32 column, float4 sums) const {
    const u64 at = static_cast<u64>(row) * pitch + column;
    put_quad(to + at, through ? taken_back(sums, input + at) : sums);
  }
};

// d_input = act'(input) ((d_input) + d_output W^T): rows x outputs times outputs x inputs.
template <class T>
__device__ __forceinline__ void linear_backward_data(u32 rows, u32 inputs, u32 outputs, u32 input_pitch,
                                                     u32 output_pitch, u32 add, u32 through, const float* d_output,
                                                     u64 d_output_lane, const float* weight, u64 parameter_lane,
                                                     const float* input, u64 input_lane, float* d_input,
                                                     u64 d_input_lane) {
  const u64 lane = blockIdx.z;
  const AlongDepth left = {d_output + lane * d_output_lane, output_pitch, rows, outputs};
  const AlongDepth right = {weight + lane * parameter_lane, output_pitch, inputs, outputs};
  const InputRows ends = {input + lane * input_lane, d_input + lane * d_input_lane, input_pitch, add, through};
  product<T>(left, right, ends, NoSums(), rows, input_pitch, outputs);
}

#define LINEAR_FORWARD(NAME, TILE)                                                                                   \
  extern "C" __global__ void __launch_bounds__(TILE::THREADS)                                                        \
      NAME(u32 rows, u32 inputs, u32 input_pitch, u32 output_pitch, u32 relus, const float* input,                   \
           u64 input_lane, const float* weight, const float* bias, u64 parameter_lane, const float* skip,            \
           u64 skip_lane, float* output, u64 output_lane) {                                                          \
    linear_forward<TILE>(rows, inputs, input_pitch, output_pitch, relus, input, input_lane, weight, bias,            \
                         parameter_lane, skip, skip_lane, output, output_lane);                                      \
  }
LINEAR_FORWARD(linear_forward_wide, Wide)
LINEAR_FORWARD(linear_forward_half, Half)
LINEAR_FORWARD(linear_forward_thin, Thin)

#define LINEAR_BACKWARD_WEIGHT(NAME, TILE)                                                                           \
  extern "C" __global__ void __launch_bounds__(TILE::THREADS)                                                        \
      NAME(u32 rows, u32 inputs, u32 input_pitch, u32 output_pitch, u32 add, const float* input, u64 input_lane,     \
           const float* d_output, u64 d_output_lane, float* d_weight, float* d_bias, u64 parameter_lane) {           \
    linear_backward_weight<TILE>(rows, inputs, input_pitch, output_pitch, add, input, input_lane, d_output,          \
                                 d_output_lane, d_weight, d_bias, parameter_lane);                                   \
  }
LINEAR_BACKWARD_WEIGHT(linear_backward_weight_wide, Wide)
LINEAR_BACKWARD_WEIGHT(linear_backward_weight_half, LowHalf)
LINEAR_BACKWARD_WEIGHT(linear_backward_weight_thin, LowThin)

#define LINEAR_BACKWARD_DATA(NAME, TILE)                                                                             \
  extern "C" __global__ void __launch_bounds__(TILE::THREADS)                                                        \
      NAME(u32 rows, u32 inputs, u32 outputs, u32 input_pitch, u32 output_pitch, u32 add, u32 through,               \
           const float* d_output, u64 d_output_lane, const float* weight, u64 parameter_lane, const float* input,    \
           u64 input_lane, float* d_input, u64 d_input_lane) {                                                       \
    linear_backward_data<TILE>(rows, inputs, outputs, input_pitch, output_pitch, add, through, d_output,             \
                               d_output_lane, weight, parameter_lane, input, input_lane, d_input, d_input_lane);     \
  }
LINEAR_BACKWARD_DATA(linear_backward_data_wide, Wide)
LINEAR_BACKWARD_DATA(linear_backward_data_half, Half)
LINEAR_BACKWARD_DATA(linear_backward_data_thin, Thin)
