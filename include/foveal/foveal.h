#pragma once
// All public headers. foveal/text/*.h need the target foveal::text when linking.

#include "foveal/dtype.h"
#include "foveal/error.h"
#include "foveal/generator.h"
#include "foveal/nn/attention.h"
#include "foveal/nn/layers.h"
#include "foveal/nn/module.h"
#include "foveal/operations.h"
#include "foveal/random.h"
#include "foveal/reference.h"
#include "foveal/safetensors.h"
#include "foveal/shape.h"
#include "foveal/state_dict.h"
#include "foveal/tensor.h"
#include "foveal/text/loader.h"
#include "foveal/text/tokenizer.h"
