// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operations of `stablehlo`. Every attribute is flat; its meaning is in the
// operation's description. Arrays indexed by dimension have one entry a
// dimension in order; `padding` has two, [low_0, high_0, low_1, high_1, ...].

#ifndef LOOM_DIALECT_STABLEHLO_OPS_TD
#define LOOM_DIALECT_STABLEHLO_OPS_TD

include "loom/Dialect/StableHLO/StableHLOBase.td"

//===----------------------------------------------------------------------===//
// Elementwise, one operand
//===----------------------------------------------------------------------===//

def NegOp : HLO_Unary<"negate", HLO_Tensor>;
def SignOp : HLO_Unary<"sign", HLO_Tensor>;
def NotOp : HLO_Unary<"not", HLO_IntTensor>;
def PopulationCountOp : HLO_Unary<"popcnt", HLO_IntTensor>;
def ClzOp : HLO_Unary<"count_leading_zeros", HLO_IntTensor>;
def ExpOp : HLO_Unary<"exponential", HLO_FpOrComplexTensor>;
def Expm1Op : HLO_Unary<"exponential_minus_one", HLO_FpOrComplexTensor>;
def LogOp : HLO_Unary<"log", HLO_FpOrComplexTensor>;
def Log1pOp : HLO_Unary<"log_plus_one", HLO_FpOrComplexTensor>;
def LogisticOp : HLO_Unary<"logistic", HLO_FpOrComplexTensor>;
def TanhOp : HLO_Unary<"tanh", HLO_FpOrComplexTensor>;
def TanOp : HLO_Unary<"tan", HLO_FpOrComplexTensor>;
def SineOp : HLO_Unary<"sine", HLO_FpOrComplexTensor>;
def CosineOp : HLO_Unary<"cosine", HLO_FpOrComplexTensor>;
def SqrtOp : HLO_Unary<"sqrt", HLO_FpOrComplexTensor>;
def RsqrtOp : HLO_Unary<"rsqrt", HLO_FpOrComplexTensor>;
def CbrtOp : HLO_Unary<"cbrt", HLO_FpOrComplexTensor>;
def FloorOp : HLO_Unary<"floor", HLO_FloatTensor>;
def CeilOp : HLO_Unary<"ceil", HLO_FloatTensor>;
def RoundNearestEvenOp : HLO_Unary<"round_nearest_even", HLO_FloatTensor>;
def RoundOp : HLO_Unary<"round_nearest_afz", HLO_FloatTensor>;

def AbsOp : HLO_Op<"abs", [Pure, Elementwise, SameOperandsAndResultShape]> {
  let description = "|operand|; a complex operand gives its real modulus.";
  let arguments = (ins HLO_Tensor:$operand);
  let results = (outs HLO_Tensor:$result);
  let hasVerifier = 1;
}

def IsFiniteOp : HLO_Op<"is_finite", [Pure, Elementwise,
                                      SameOperandsAndResultShape]> {
  let arguments = (ins HLO_FloatTensor:$operand);
  let results = (outs HLO_PredTensor:$result);
}

def ConvertOp : HLO_Op<"convert", [Pure, Elementwise,
                                   SameOperandsAndResultShape]> {
  let description = [{
    Value conversion of each element to the result's element type. To i1: not
    equal to zero. Float to integer truncates.
  }];
  let arguments = (ins HLO_Tensor:$operand);
  let results = (outs HLO_Tensor:$result);
  let hasFolder = 1;
}

def BitcastConvertOp : HLO_Op<"bitcast_convert", [Pure]> {
  let description = [{
    Reinterprets bits. With element types of one width the shapes are equal;
    otherwise the narrower side has one more, innermost dimension.
  }];
  let arguments = (ins HLO_Tensor:$operand);
  let results = (outs HLO_Tensor:$result);
  let hasVerifier = 1;
  let hasFolder = 1;
}

def ReducePrecisionOp : HLO_Op<"reduce_precision",
                               [Pure, Elementwise, SameOperandsAndResultType]> {
  let description = [{
    `exponent_bits`, `mantissa_bits`: the format each element is rounded to.
  }];
  let arguments = (ins HLO_FloatTensor:$operand, I32Attr:$exponent_bits,
                       I32Attr:$mantissa_bits);
  let results = (outs HLO_FloatTensor:$result);
}

def RealOp : HLO_Op<"real", [Pure, Elementwise, SameOperandsAndResultShape]> {
  let arguments = (ins HLO_FpOrComplexTensor:$operand);
  let results = (outs HLO_FloatTensor:$result);
}

def ImagOp : HLO_Op<"imag", [Pure, Elementwise, SameOperandsAndResultShape]> {
  let arguments = (ins HLO_FpOrComplexTensor:$operand);
  let results = (outs HLO_FloatTensor:$result);
}

def UniformQuantizeOp : HLO_Op<"uniform_quantize", [Pure]> {
  let arguments = (ins AnyRankedTensor:$operand);
  let results = (outs AnyRankedTensor:$result);
}

def UniformDequantizeOp : HLO_Op<"uniform_dequantize", [Pure]> {
  let arguments = (ins AnyRankedTensor:$operand);
  let results = (outs AnyRankedTensor:$result);
}

//===----------------------------------------------------------------------===//
// Elementwise, two and three operands
//===----------------------------------------------------------------------===//

def AddOp : HLO_Binary<"add", HLO_Tensor, [Commutative]>;
def SubtractOp : HLO_Binary<"subtract", HLO_Tensor>;
def MulOp : HLO_Binary<"multiply", HLO_Tensor, [Commutative]>;
def DivOp : HLO_Binary<"divide", HLO_Tensor>;
def RemOp : HLO_Binary<"remainder", HLO_Tensor>;
def MaxOp : HLO_Binary<"maximum", HLO_Tensor, [Commutative]>;
def MinOp : HLO_Binary<"minimum", HLO_Tensor, [Commutative]>;
def PowOp : HLO_Binary<"power", HLO_Tensor>;
def Atan2Op : HLO_Binary<"atan2", HLO_FpOrComplexTensor>;
def AndOp : HLO_Binary<"and", HLO_IntTensor, [Commutative]>;
def OrOp : HLO_Binary<"or", HLO_IntTensor, [Commutative]>;
def XorOp : HLO_Binary<"xor", HLO_IntTensor, [Commutative]>;
def ShiftLeftOp : HLO_Binary<"shift_left", HLO_IntTensor>;
def ShiftRightArithmeticOp : HLO_Binary<"shift_right_arithmetic", HLO_IntTensor>;
def ShiftRightLogicalOp : HLO_Binary<"shift_right_logical", HLO_IntTensor>;

def ComplexOp : HLO_Op<"complex", [Pure, Elementwise,
                                   SameOperandsAndResultShape]> {
  let arguments = (ins HLO_FloatTensor:$lhs, HLO_FloatTensor:$rhs);
  let results = (outs HLO_ComplexTensor:$result);
}

def CompareOp : HLO_Op<"compare", [Pure, Elementwise, SameTypeOperands,
                                   SameOperandsAndResultShape]> {
  let description = [{
    `comparison_direction`: EQ NE GE GT LE LT. `compare_type` (optional): FLOAT,
    TOTALORDER, SIGNED, UNSIGNED or NOTYPE; absent or NOTYPE means by the
    element type (IEEE for floats, signedness of the integer type).
  }];
  let arguments = (ins HLO_Tensor:$lhs, HLO_Tensor:$rhs,
      HLO_ComparisonDirectionAttr:$comparison_direction,
      OptionalAttr<HLO_ComparisonTypeAttr>:$compare_type);
  let results = (outs HLO_PredTensor:$result);
}

def SelectOp : HLO_Op<"select", [Pure, AllTypesMatch<["on_true", "on_false",
                                                      "result"]>]> {
  let description = "`pred` has the result's shape or is a scalar.";
  let arguments = (ins HLO_PredTensor:$pred, HLO_Tensor:$on_true,
                       HLO_Tensor:$on_false);
  let results = (outs HLO_Tensor:$result);
  let hasVerifier = 1;
}

def ClampOp : HLO_Op<"clamp", [Pure, AllTypesMatch<["operand", "result"]>]> {
  let description = [{
    minimum(maximum(operand, min), max); `min` and `max` have the operand's
    shape or are scalars.
  }];
  let arguments = (ins HLO_Tensor:$min, HLO_Tensor:$operand, HLO_Tensor:$max);
  let results = (outs HLO_Tensor:$result);
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Values and shapes
//===----------------------------------------------------------------------===//

def ConstantOp : HLO_Op<"constant", [Pure, ConstantLike]> {
  let description = [{
    `value`: any ElementsAttr of the result's type. Above 4 KiB it is a
    DenseResourceElementsAttr whose blob lies in the mapped file.
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs HLO_Tensor:$output);
  let builders = [OpBuilder<(ins "::mlir::ElementsAttr":$value), [{
    build($_builder, $_state, value.getShapedType(), value);
  }]>];
  let hasFolder = 1;
  let hasVerifier = 1;
}

def IotaOp : HLO_Op<"iota", [Pure]> {
  let description = "`iota_dimension`: the dimension along which values count.";
  let arguments = (ins I64Attr:$iota_dimension);
  let results = (outs HLO_Tensor:$output);
  let hasVerifier = 1;
}

def BroadcastInDimOp : HLO_Op<"broadcast_in_dim", [Pure]> {
  let description = [{
    `broadcast_dimensions`: operand dimension i is result dimension
    broadcast_dimensions[i] (unique, not necessarily ascending); its size is the
    result's or 1.
  }];
  let arguments = (ins HLO_Tensor:$operand,
                       DenseI64ArrayAttr:$broadcast_dimensions);
  let results = (outs HLO_Tensor:$result);
  let hasFolder = 1;
  let hasVerifier = 1;
}

def ReshapeOp : HLO_Op<"reshape", [Pure]> {
  let arguments = (ins HLO_Tensor:$operand);
  let results = (outs HLO_Tensor:$result);
  let hasFolder = 1;
  let hasVerifier = 1;
}

def TransposeOp : HLO_Op<"transpose", [Pure]> {
  let description = [{
    `permutation`: result dimension i is operand dimension permutation[i].
  }];
  let arguments = (ins HLO_Tensor:$operand, DenseI64ArrayAttr:$permutation);
  let results = (outs HLO_Tensor:$result);
  let hasFolder = 1;
  let hasVerifier = 1;
}

def SliceOp : HLO_Op<"slice", [Pure]> {
  let description = [{
    `start_indices`, `limit_indices` (exclusive), `strides` (>= 1): one entry a
    dimension.
  }];
  let arguments = (ins HLO_Tensor:$operand, DenseI64ArrayAttr:$start_indices,
      DenseI64ArrayAttr:$limit_indices, DenseI64ArrayAttr:$strides);
  let results = (outs HLO_Tensor:$result);
  let hasFolder = 1;
  let hasVerifier = 1;
}

def ConcatenateOp : HLO_Op<"concatenate", [Pure]> {
  let description = "`dimension`: the one along which operands are joined.";
  let arguments = (ins Variadic<HLO_Tensor>:$inputs, I64Attr:$dimension);
  let results = (outs HLO_Tensor:$result);
  let hasFolder = 1;
  let hasVerifier = 1;
}

def PadOp : HLO_Op<"pad", [Pure]> {
  let description = [{
    `edge_padding_low`, `edge_padding_high` (may be negative: crops),
    `interior_padding` (>= 0, between elements): one entry a dimension.
  }];
  let arguments = (ins HLO_Tensor:$operand, HLO_Tensor:$padding_value,
      DenseI64ArrayAttr:$edge_padding_low, DenseI64ArrayAttr:$edge_padding_high,
      DenseI64ArrayAttr:$interior_padding);
  let results = (outs HLO_Tensor:$result);
  let hasFolder = 1;
  let hasVerifier = 1;
}

def ReverseOp : HLO_Op<"reverse", [Pure, SameOperandsAndResultType]> {
  let description = "`dimensions`: those whose order is reversed.";
  let arguments = (ins HLO_Tensor:$operand, DenseI64ArrayAttr:$dimensions);
  let results = (outs HLO_Tensor:$result);
  let hasVerifier = 1;
}

def DynamicSliceOp : HLO_Op<"dynamic_slice", [Pure]> {
  let description = [{
    `slice_sizes`: the result's shape. `start_indices`: one integer scalar a
    dimension, clamped so that the slice lies inside.
  }];
  let arguments = (ins HLO_Tensor:$operand,
      Variadic<HLO_IntTensor>:$start_indices, DenseI64ArrayAttr:$slice_sizes);
  let results = (outs HLO_Tensor:$result);
  let hasVerifier = 1;
}

def DynamicUpdateSliceOp : HLO_Op<"dynamic_update_slice",
                                  [Pure, AllTypesMatch<["operand", "result"]>]> {
  let arguments = (ins HLO_Tensor:$operand, HLO_Tensor:$update,
                       Variadic<HLO_IntTensor>:$start_indices);
  let results = (outs HLO_Tensor:$result);
  let hasVerifier = 1;
}

def GatherOp : HLO_Op<"gather", [Pure]> {
  let description = [{
    `offset_dims`: result dimensions that walk the slice. `collapsed_slice_dims`,
    `operand_batching_dims`: operand dimensions of slice size 1 that the result
    lacks. `start_indices_batching_dims`: their partners in the indices.
    `start_index_map`: index component i addresses that operand dimension.
    `index_vector_dim`: dimension of the indices that holds the components
    (= rank: scalars). `slice_sizes`: one entry an operand dimension.
  }];
  let arguments = (ins HLO_Tensor:$operand, HLO_IntTensor:$start_indices,
      DenseI64ArrayAttr:$offset_dims, DenseI64ArrayAttr:$collapsed_slice_dims,
      DenseI64ArrayAttr:$operand_batching_dims,
      DenseI64ArrayAttr:$start_indices_batching_dims,
      DenseI64ArrayAttr:$start_index_map, I64Attr:$index_vector_dim,
      DenseI64ArrayAttr:$slice_sizes,
      DefaultValuedAttr<BoolAttr, "false">:$indices_are_sorted);
  let results = (outs HLO_Tensor:$result);
  let hasVerifier = 1;
}

def ScatterOp : HLO_Op<"scatter", [RecursiveMemoryEffects,
    SingleBlockImplicitTerminator<"ReturnOp">, SameVariadicOperandSize]> {
  let description = [{
    The counterpart of gather: `update_window_dims` ~ offset_dims,
    `inserted_window_dims` ~ collapsed_slice_dims, `input_batching_dims` ~
    operand_batching_dims, `scatter_indices_batching_dims`,
    `scatter_dims_to_operand_dims` ~ start_index_map, `index_vector_dim`. The
    region takes (old..., update...) scalars and returns the new ones.
  }];
  let arguments = (ins Variadic<HLO_Tensor>:$inputs,
      HLO_IntTensor:$scatter_indices, Variadic<HLO_Tensor>:$updates,
      DenseI64ArrayAttr:$update_window_dims,
      DenseI64ArrayAttr:$inserted_window_dims,
      DenseI64ArrayAttr:$input_batching_dims,
      DenseI64ArrayAttr:$scatter_indices_batching_dims,
      DenseI64ArrayAttr:$scatter_dims_to_operand_dims,
      I64Attr:$index_vector_dim,
      DefaultValuedAttr<BoolAttr, "false">:$indices_are_sorted,
      DefaultValuedAttr<BoolAttr, "false">:$unique_indices);
  let regions = (region SizedRegion<1>:$update_computation);
  let results = (outs Variadic<HLO_Tensor>:$results);
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

def DotGeneralOp : HLO_Op<"dot_general", [Pure]> {
  let description = [{
    Batched matrix product. Result dimensions: batch (in the order listed), then
    the left side's others, then the right side's others. Contracting dimensions
    are summed in the order listed. `precision_config` (optional): a string an
    operand. `algorithm` (optional): dictionary of the algorithm's fields.
  }];
  let arguments = (ins HLO_Tensor:$lhs, HLO_Tensor:$rhs,
      DenseI64ArrayAttr:$lhs_batching_dimensions,
      DenseI64ArrayAttr:$rhs_batching_dimensions,
      DenseI64ArrayAttr:$lhs_contracting_dimensions,
      DenseI64ArrayAttr:$rhs_contracting_dimensions,
      OptionalAttr<HLO_PrecisionConfigAttr>:$precision_config,
      OptionalAttr<DictionaryAttr>:$algorithm);
  let results = (outs HLO_Tensor:$result);
  let hasVerifier = 1;
}

def ConvolutionOp : HLO_Op<"convolution", [Pure]> {
  let description = [{
    Per spatial dimension, in the order of `input_spatial_dimensions`:
    `window_strides`, `padding` ([low_0, high_0, ...], may be negative),
    `lhs_dilation`, `rhs_dilation`, `window_reversal`. Which dimension is which:
    `{input,output}_{batch,feature}_dimension`, `{input,kernel,output}_spatial_
    dimensions`, `kernel_{input,output}_feature_dimension`.
    `feature_group_count`, `batch_group_count`: at most one is above 1.
  }];
  let arguments = (ins HLO_Tensor:$lhs, HLO_Tensor:$rhs,
      DenseI64ArrayAttr:$window_strides, DenseI64ArrayAttr:$padding,
      DenseI64ArrayAttr:$lhs_dilation, DenseI64ArrayAttr:$rhs_dilation,
      DenseBoolArrayAttr:$window_reversal,
      I64Attr:$input_batch_dimension, I64Attr:$input_feature_dimension,
      DenseI64ArrayAttr:$input_spatial_dimensions,
      I64Attr:$kernel_input_feature_dimension,
      I64Attr:$kernel_output_feature_dimension,
      DenseI64ArrayAttr:$kernel_spatial_dimensions,
      I64Attr:$output_batch_dimension, I64Attr:$output_feature_dimension,
      DenseI64ArrayAttr:$output_spatial_dimensions,
      I64Attr:$feature_group_count, I64Attr:$batch_group_count,
      OptionalAttr<HLO_PrecisionConfigAttr>:$precision_config);
  let results = (outs HLO_Tensor:$result);
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Reductions, windows, order
//===----------------------------------------------------------------------===//

def ReduceOp : HLO_Op<"reduce", [RecursiveMemoryEffects,
    SingleBlockImplicitTerminator<"ReturnOp">, SameVariadicOperandSize]> {
  let description = [{
    `dimensions`: those that vanish. The region takes (accumulators..., elements
    ...) scalars and returns the new accumulators.
  }];
  let arguments = (ins Variadic<HLO_Tensor>:$inputs,
      Variadic<HLO_Tensor>:$init_values, DenseI64ArrayAttr:$dimensions);
  let regions = (region SizedRegion<1>:$body);
  let results = (outs Variadic<HLO_Tensor>:$results);
  let hasVerifier = 1;
}

def ReduceWindowOp : HLO_Op<"reduce_window", [RecursiveMemoryEffects,
    SingleBlockImplicitTerminator<"ReturnOp">, SameVariadicOperandSize]> {
  let description = [{
    One entry a dimension: `window_dimensions`, `window_strides`,
    `base_dilations`, `window_dilations`; two: `padding`. All present.
  }];
  let arguments = (ins Variadic<HLO_Tensor>:$inputs,
      Variadic<HLO_Tensor>:$init_values, DenseI64ArrayAttr:$window_dimensions,
      DenseI64ArrayAttr:$window_strides, DenseI64ArrayAttr:$base_dilations,
      DenseI64ArrayAttr:$window_dilations, DenseI64ArrayAttr:$padding);
  let regions = (region SizedRegion<1>:$body);
  let results = (outs Variadic<HLO_Tensor>:$results);
  let hasVerifier = 1;
}

def SelectAndScatterOp : HLO_Op<"select_and_scatter", [RecursiveMemoryEffects]> {
  let description = [{
    `window_dimensions`, `window_strides`: one entry a dimension; `padding`: two.
    `select` compares two elements, `scatter` combines.
  }];
  let arguments = (ins HLO_Tensor:$operand, HLO_Tensor:$source,
      HLO_Tensor:$init_value, DenseI64ArrayAttr:$window_dimensions,
      DenseI64ArrayAttr:$window_strides, DenseI64ArrayAttr:$padding);
  let regions = (region SizedRegion<1>:$select, SizedRegion<1>:$scatter);
  let results = (outs HLO_Tensor:$result);
  let hasVerifier = 1;
}

def SortOp : HLO_Op<"sort", [RecursiveMemoryEffects,
    SingleBlockImplicitTerminator<"ReturnOp">, SameOperandsAndResultShape]> {
  let description = [{
    `dimension`: the one sorted along (not negative). `is_stable`. The region
    takes (a0, b0, a1, b1, ...) and returns whether a comes before b.
  }];
  let arguments = (ins Variadic<HLO_Tensor>:$inputs, I64Attr:$dimension,
      DefaultValuedAttr<BoolAttr, "false">:$is_stable);
  let regions = (region SizedRegion<1>:$comparator);
  let results = (outs Variadic<HLO_Tensor>:$results);
  let hasVerifier = 1;
}

def MapOp : HLO_Op<"map", [RecursiveMemoryEffects,
    SingleBlockImplicitTerminator<"ReturnOp">, SameOperandsAndResultShape]> {
  let description = "`dimensions`: 0 .. rank - 1. The region maps scalars.";
  let arguments = (ins Variadic<HLO_Tensor>:$inputs,
                       DenseI64ArrayAttr:$dimensions);
  let regions = (region SizedRegion<1>:$computation);
  let results = (outs HLO_Tensor:$result);
}

//===----------------------------------------------------------------------===//
// Control flow, calls
//===----------------------------------------------------------------------===//

def ReturnOp : HLO_Op<"return", [Pure, Terminator, ReturnLike]> {
  let description = "Ends every region of this dialect.";
  let arguments = (ins Variadic<AnyType>:$results);
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange()); }]>];
}

def WhileOp : HLO_Op<"while", [RecursiveMemoryEffects]> {
  let description = [{
    Carried values are operands, both regions' arguments and results. `cond`
    returns one i1 scalar, `body` the next carried values.
  }];
  let arguments = (ins Variadic<AnyType>:$operands);
  let regions = (region SizedRegion<1>:$cond, SizedRegion<1>:$body);
  let results = (outs Variadic<AnyType>:$results);
  let hasVerifier = 1;
}

def CaseOp : HLO_Op<"case", [RecursiveMemoryEffects]> {
  let description = [{
    Runs branch `index`; the last one when the index is out of range.
  }];
  let arguments = (ins RankedTensorOf<[I32]>:$index);
  let regions = (region VariadicRegion<SizedRegion<1>>:$branches);
  let results = (outs Variadic<AnyType>:$results);
  let hasVerifier = 1;
}

def IfOp : HLO_Op<"if", [RecursiveMemoryEffects]> {
  let arguments = (ins HLO_PredTensor:$pred);
  let regions = (region SizedRegion<1>:$true_branch,
                        SizedRegion<1>:$false_branch);
  let results = (outs Variadic<AnyType>:$results);
  let hasVerifier = 1;
}

def OptimizationBarrierOp : HLO_Op<"optimization_barrier"> {
  let description = "Results are the operands; nothing moves across.";
  let arguments = (ins Variadic<AnyType>:$operands);
  let results = (outs Variadic<AnyType>:$results);
  let hasVerifier = 1;
}

def CompositeOp : HLO_Op<"composite"> {
  let description = [{
    `name`: what it means, e.g. "chlo.top_k". `composite_attributes`,
    `decomposition` (a private function of the same type), `version`.
  }];
  let arguments = (ins Variadic<AnyType>:$inputs, StrAttr:$name,
      OptionalAttr<DictionaryAttr>:$composite_attributes,
      FlatSymbolRefAttr:$decomposition,
      DefaultValuedAttr<I32Attr, "0">:$version);
  let results = (outs Variadic<AnyType>:$results);
}

def CustomCallOp : HLO_Op<"custom_call",
    [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let arguments = (ins Variadic<AnyType>:$inputs, StrAttr:$call_target_name,
      DefaultValuedAttr<BoolAttr, "false">:$has_side_effect,
      OptionalAttr<AnyAttr>:$backend_config,
      OptionalAttr<FlatSymbolRefArrayAttr>:$called_computations);
  let results = (outs Variadic<AnyType>:$results);
}

def TupleOp : HLO_Op<"tuple", [Pure]> {
  let arguments = (ins Variadic<AnyType>:$val);
  let results = (outs AnyTuple:$result);
}

def GetTupleElementOp : HLO_Op<"get_tuple_element", [Pure]> {
  let arguments = (ins AnyTuple:$operand, I32Attr:$index);
  let results = (outs AnyType:$result);
}

//===----------------------------------------------------------------------===//
// Normalisation, linear algebra, random numbers
//===----------------------------------------------------------------------===//

def BatchNormInferenceOp : HLO_Op<"batch_norm_inference", [Pure]> {
  let description = "`epsilon`; `feature_index`: the dimension normalised over.";
  let arguments = (ins HLO_FloatTensor:$operand, HLO_FloatTensor:$scale,
      HLO_FloatTensor:$offset, HLO_FloatTensor:$mean, HLO_FloatTensor:$variance,
      F32Attr:$epsilon, I64Attr:$feature_index);
  let results = (outs HLO_FloatTensor:$result);
}

def BatchNormTrainingOp : HLO_Op<"batch_norm_training", [Pure]> {
  let arguments = (ins HLO_FloatTensor:$operand, HLO_FloatTensor:$scale,
      HLO_FloatTensor:$offset, F32Attr:$epsilon, I64Attr:$feature_index);
  let results = (outs HLO_FloatTensor:$output, HLO_FloatTensor:$batch_mean,
                      HLO_FloatTensor:$batch_var);
}

def BatchNormGradOp : HLO_Op<"batch_norm_grad", [Pure]> {
  let arguments = (ins HLO_FloatTensor:$operand, HLO_FloatTensor:$scale,
      HLO_FloatTensor:$mean, HLO_FloatTensor:$variance,
      HLO_FloatTensor:$grad_output, F32Attr:$epsilon, I64Attr:$feature_index);
  let results = (outs HLO_FloatTensor:$grad_operand, HLO_FloatTensor:$grad_scale,
                      HLO_FloatTensor:$grad_offset);
}

def FftOp : HLO_Op<"fft", [Pure]> {
  let description = [{
    Over the last dimensions, one for each `fft_length`. RFFT takes real numbers
    and gives the first n / 2 + 1 along the last dimension, IRFFT the reverse.
    Complex numbers are one tensor, or their parts are two of one type, which is
    what splitting complex numbers leaves.
  }];
  let arguments = (ins Variadic<HLO_Tensor>:$operands,
                       HLO_FftTypeAttr:$fft_type,
                       DenseI64ArrayAttr:$fft_length);
  let results = (outs Variadic<HLO_Tensor>:$results);
  let hasVerifier = 1;
}

def CholeskyOp : HLO_Op<"cholesky", [Pure, SameOperandsAndResultType]> {
  let arguments = (ins HLO_FpOrComplexTensor:$a,
                       DefaultValuedAttr<BoolAttr, "false">:$lower);
  let results = (outs HLO_FpOrComplexTensor:$result);
}

def TriangularSolveOp : HLO_Op<"triangular_solve", [Pure]> {
  let arguments = (ins HLO_FpOrComplexTensor:$a, HLO_FpOrComplexTensor:$b,
      BoolAttr:$left_side, BoolAttr:$lower, BoolAttr:$unit_diagonal,
      HLO_TransposeAttr:$transpose_a);
  let results = (outs HLO_FpOrComplexTensor:$result);
}

def RngOp : HLO_Op<"rng"> {
  let arguments = (ins HLO_Tensor:$a, HLO_Tensor:$b, HLO_IntTensor:$shape,
                       HLO_RngDistributionAttr:$rng_distribution);
  let results = (outs HLO_Tensor:$result);
}

def RngBitGeneratorOp : HLO_Op<"rng_bit_generator", [Pure]> {
  let arguments = (ins HLO_RngAlgorithmAttr:$rng_algorithm,
                       HLO_Tensor:$initial_state);
  let results = (outs HLO_Tensor:$output_state, HLO_Tensor:$output);
}

#endif // LOOM_DIALECT_STABLEHLO_OPS_TD
