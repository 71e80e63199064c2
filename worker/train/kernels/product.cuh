// The one matrix product: every number of the output is one chain of fused multiply-adds in the order of the inner
// index, whatever the tile, so that tiles are free to be chosen and a device agrees with the host bit for bit.
//
// A block computes a tile of M x N numbers, a thread TM x TN of them in registers. Pieces of DEPTH of the inner index
// go through shared memory, twice buffered: the next piece is on its way from global memory while this one is used.
// Threads read and write quads of four floats. A thread's rows (and columns) are quads that lie M / (TM / 4) apart, so
// that the eight threads of a quarter warp read neighbouring quads of shared memory, or the same one.
#pragma once
#include "base.cuh"

constexpr u32 DEPTH = 16;
// Rows of shared memory are shifted by a quad, so that turned writes of a warp meet at most two by two in a bank.
constexpr u32 SHIFT = 4;

template <u32 m, u32 n, u32 tm, u32 tn> struct Tile {
  static constexpr u32 M = m, N = n, TM = tm, TN = tn, THREADS = (m / tm) * (n / tn);
};
// By the columns of the output: more than 32, 17 to 32, up to 16; the low tiles are for outputs of few rows, whose
// inner index is long.
typedef Tile<64, 64, 8, 8> Wide;
typedef Tile<64, 32, 8, 4> Half;
typedef Tile<128, 16, 8, 4> Thin;
typedef Tile<32, 32, 4, 4> LowHalf;
typedef Tile<32, 16, 4, 4> LowThin;

// Takes pieces of one factor, EXTENT wide, to shared memory. A `From` says how a quad is read: along the inner index
// (ALONG_DEPTH), or along the other one. `place(x)` is worked out once, `inner(k)` once a piece: a thread's quads lie at
// one inner index along it, and at one place across it.
template <u32 EXTENT, u32 THREADS, class From> struct Stage {
  static constexpr u32 QUADS = EXTENT * DEPTH / 4 / THREADS;
  static_assert(QUADS * THREADS * 4 == EXTENT * DEPTH, "every thread has as many quads");
  static_assert(THREADS % (From::ALONG_DEPTH ? DEPTH / 4 : EXTENT / 4) == 0, "a thread's quads lie in a line");
  static constexpr u32 PLACES = From::ALONG_DEPTH ? QUADS : 1;
  typename From::Place places[PLACES];
  float4 held[QUADS];

  static __device__ __forceinline__ u32 x_of(u32 quad) {
    const u32 id = threadIdx.x + quad * THREADS;
    return From::ALONG_DEPTH ? id / (DEPTH / 4) : id % (EXTENT / 4) * 4;
  }

  static __device__ __forceinline__ u32 k_of(u32 quad) {
    const u32 id = threadIdx.x + quad * THREADS;
    return From::ALONG_DEPTH ? id % (DEPTH / 4) * 4 : id / (EXTENT / 4);
  }

  __device__ __forceinline__ Stage(const From& from, u32 first) {
#pragma unroll
    for (u32 quad = 0; quad < PLACES; ++quad) {
      places[quad] = from.place(first + x_of(quad));
    }
  }

  __device__ __forceinline__ void fetch(const From& from, u32 k) {
    typename From::Inner inner = from.inner(k + k_of(0));
#pragma unroll
    for (u32 quad = 0; quad < QUADS; ++quad) {
      if (!From::ALONG_DEPTH && quad > 0) {
        inner = from.inner(k + k_of(quad));
      }
      held[quad] = from.at(places[From::ALONG_DEPTH ? quad : 0], inner);
    }
  }

  __device__ __forceinline__ void put(float (*piece)[EXTENT + SHIFT]) const {
#pragma unroll
    for (u32 quad = 0; quad < QUADS; ++quad) {
      const u32 x = x_of(quad), k = k_of(quad);
      if (From::ALONG_DEPTH) {
        piece[k][x] = held[quad].x;
        piece[k + 1][x] = held[quad].y;
        piece[k + 2][x] = held[quad].z;
        piece[k + 3][x] = held[quad].w;
      } else {
        put_quad(&piece[k][x], held[quad]);
      }
    }
  }
};

// Adds the columns of the right factor in order, where a caller wants their sums: the first row of tiles does.
struct NoSums {
  static constexpr bool WANTED = false;
  float* at;
  bool add;
};

struct ColumnSums {
  static constexpr bool WANTED = true;
  // By column; null where they are not wanted.
  float* at;
  // Whether they go on from what is there.
  bool add;
};

// Reads quads that lie STEP apart.
template <u32 STEP, u32 COUNT> __device__ __forceinline__ void read_quads(float (&to)[COUNT], const float* from) {
#pragma unroll
  for (u32 i = 0; i < COUNT; i += 4) {
    const float4 quad = quad_at(from + i / 4 * STEP);
    to[i] = quad.x;
    to[i + 1] = quad.y;
    to[i + 2] = quad.z;
    to[i + 3] = quad.w;
  }
}

// `ends.start(row, column)` is where four chains start, `ends.finish(row, column, sums)` takes them; columns are whole
// vectors, rows beyond the last are not finished.
template <class T, class Left, class Right, class Ends, class Sums>
__device__ __forceinline__ void product(const Left& left, const Right& right, const Ends& ends, const Sums& sums_of,
                                        u32 rows, u32 columns, u32 depth) {
  __shared__ __align__(16) float lefts[2][DEPTH][T::M + SHIFT];
  __shared__ __align__(16) float rights[2][DEPTH][T::N + SHIFT];
  constexpr u32 ACROSS = T::N / T::TN;
  const u32 first_row = blockIdx.x * T::M, first_column = blockIdx.y * T::N;
  const u32 my_row = threadIdx.x / ACROSS * 4, my_column = threadIdx.x % ACROSS * 4;
  constexpr u32 ROW_STEP = T::M / (T::TM / 4), COLUMN_STEP = T::N / (T::TN / 4);

  float sums[T::TM][T::TN];
#pragma unroll
  for (u32 i = 0; i < T::TM; ++i) {
    const u32 row = first_row + my_row + i / 4 * ROW_STEP + i % 4;
#pragma unroll
    for (u32 j = 0; j < T::TN; j += 4) {
      const u32 column = first_column + my_column + j / 4 * COLUMN_STEP;
      const float4 start = row < rows && column < columns ? ends.start(row, column) : zeros();
      sums[i][j] = start.x;
      sums[i][j + 1] = start.y;
      sums[i][j + 2] = start.z;
      sums[i][j + 3] = start.w;
    }
  }
  const bool adds = Sums::WANTED && sums_of.at && blockIdx.x == 0 && threadIdx.x < T::N &&
                    first_column + threadIdx.x < columns;
  float sum = adds && sums_of.add ? sums_of.at[first_column + threadIdx.x] : 0.0f;

  if (depth > 0) {
    Stage<T::M, T::THREADS, Left> stage_left(left, first_row);
    Stage<T::N, T::THREADS, Right> stage_right(right, first_column);
    stage_left.fetch(left, 0);
    stage_right.fetch(right, 0);
    stage_left.put(lefts[0]);
    stage_right.put(rights[0]);
    __syncthreads();
    u32 buffer = 0;
    for (u32 k = 0;; k += DEPTH) {
      const bool more = depth - k > DEPTH;
      if (more) {
        stage_left.fetch(left, k + DEPTH);
        stage_right.fetch(right, k + DEPTH);
      }
      const auto step = [&](u32 at) {
        float some_left[T::TM], some_right[T::TN];
        read_quads<ROW_STEP>(some_left, &lefts[buffer][at][my_row]);
        read_quads<COLUMN_STEP>(some_right, &rights[buffer][at][my_column]);
#pragma unroll
        for (u32 i = 0; i < T::TM; ++i) {
#pragma unroll
          for (u32 j = 0; j < T::TN; ++j) {
            sums[i][j] = fmaf(some_left[i], some_right[j], sums[i][j]);
          }
        }
      };
      // The chain ends where the inner index does: what was read beyond it takes no part.
      if (depth - k >= DEPTH) {
#pragma unroll
        for (u32 at = 0; at < DEPTH; ++at) {
          step(at);
        }
      } else {
        for (u32 at = 0; at < depth - k; ++at) {
          step(at);
        }
      }
      if (adds) {
        for (u32 at = 0; at < DEPTH && at < depth - k; ++at) {
          sum += rights[buffer][at][threadIdx.x];
        }
      }
      if (!more) {
        break;
      }
      // The other buffer's readers were done before the last barrier.
      buffer ^= 1;
      stage_left.put(lefts[buffer]);
      stage_right.put(rights[buffer]);
      __syncthreads();
    }
  }

#pragma unroll
  for (u32 i = 0; i < T::TM; ++i) {
    const u32 row = first_row + my_row + i / 4 * ROW_STEP + i % 4;
#pragma unroll
    for (u32 j = 0; j < T::TN; j += 4) {
      const u32 column = first_column + my_column + j / 4 * COLUMN_STEP;
      if (row < rows && column < columns) {
        ends.finish(row, column, make_float4(sums[i][j], sums[i][j + 1], sums[i][j + 2], sums[i][j + 3]));
      }
    }
  }
  if (adds) {
    sums_of.at[first_column + threadIdx.x] = sum;
  }
}

// A factor that lies in rows of the inner index: `from[x * pitch + k]`. Rows are padded to whole quads.
struct AlongDepth {
  static constexpr bool ALONG_DEPTH = true;
  typedef const float* Place;
  typedef u32 Inner;
  const float* from;
  u64 pitch;
  u32 extent, depth;

  __device__ __forceinline__ Place place(u32 x) const {
    return x < extent ? from + x * pitch : nullptr;
  }

  __device__ __forceinline__ Inner inner(u32 k) const {
    return k;
  }

  __device__ __forceinline__ float4 at(Place row, Inner k) const {
    return row && k < depth ? quad_at(row + k) : zeros();
  }
};

// A factor whose inner index counts its rows: `from[k * pitch + x]`. Rows are padded to whole quads.
struct AcrossDepth {
  static constexpr bool ALONG_DEPTH = false;
  typedef const float* Place;
  typedef u32 Inner;
  const float* from;
  u64 pitch;
  u32 extent, depth;

  __device__ __forceinline__ Place place(u32 x) const {
    return x < extent ? from + x : nullptr;
  }

  __device__ __forceinline__ Inner inner(u32 k) const {
    return k;
  }

  __device__ __forceinline__ float4 at(Place column, Inner k) const {
    return column && k < depth ? quad_at(column + k * pitch) : zeros();
  }
};

__device__ __forceinline__ float4 sum_of(float4 a, float4 b) {
  return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

// Sums start at a bias plus a matrix like the output, each where there is one, and end in an activation.
struct Outputs {
  // By column, or null.
  const float* bias;
  // `[rows][pitch]`, or null.
  const float* skip;
  float* to;
  u32 pitch;
  u32 relus;

  __device__ __forceinline__ float4 start(u32 row, u32 column) const {
    const float4 first = bias ? quad_at(bias + column) : zeros();
    if (!skip) {
      return first;
    }
    const float4 second = quad_at(skip + static_cast<u64>(row) * pitch + column);
    return bias ? sum_of(first, second) : second;
  }

  __device__ __forceinline__ void finish(u32 row, u32 column, float4 sums) const {
    if (relus) {
      sums = make_float4(relu(sums.x), relu(sums.y), relu(sums.z), relu(sums.w));
    }
    put_quad(to + static_cast<u64>(row) * pitch + column, sums);
  }
};

// The gradient of parameters, `[rows][pitch]`, which may go on from what is there.
struct Gradients {
  float* to;
  u32 pitch;
  u32 add;

  __device__ __forceinline__ float4 start(u32 row, u32 column) const {
    return add ? quad_at(to + static_cast<u64>(row) * pitch + column) : zeros();
  }

  __device__ __forceinline__ void finish(u32 row, u32 column, float4 sums) const {
    put_quad(to + static_cast<u64>(row) * pitch + column, sums);
  }
};

// Four numbers of an input's gradient, taken back through the activation that made the input: zero where it is not
// positive.
__device__ __forceinline__ float4 taken_back(float4 sums, const float* input) {
  const float4 mask = quad_at(input);
  return make_float4(mask.x > 0.0f ? sums.x : 0.0f, mask.y > 0.0f ? sums.y : 0.0f, mask.z > 0.0f ? sums.z : 0.0f,
                     mask.w > 0.0f ? sums.w : 0.0f);
}
