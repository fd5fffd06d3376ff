#include "foveal/nn/module.h"

#include <algorithm>
#include <set>

#include "core/door.h"
#include "foveal/autograd.h"
#include "foveal/error.h"
#include "foveal/safetensors.h"
#include "io/safetensors_dtype.h"
#include "io/safetensors_header.h"
#include "tensor/builder.h"
#include "tensor/recording.h"

namespace foveal::nn {
namespace {

/// What keeps `given` from being copied into `own`, or nothing.
std::string complaint(const std::string& name, const Tensor& own, const Tensor& given) {
  if (!given.defined()) return name + " is an undefined tensor";
  if (given.shape() != own.shape()) {
    return name + " has shape " + to_string(given.shape()) + " where the module has " +
           to_string(own.shape());
  }
  if (own.read_only()) return name + " is read-only in the module";
  return "";
}

std::string join(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) {
    if (!text.empty()) text += "; ";
    text += item;
  }
  return text;
}

/// Every entry of `given` that does not fit `own`, and every entry that is not there.
std::vector<std::string> complaints(const StateDict& own, const StateDict& given) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : own) {
    const Tensor* const match = find(given, name);
    const std::string problem =
        match == nullptr ? name + " is missing" : complaint(name, tensor, *match);
    if (!problem.empty()) result.push_back(problem);
  }
  std::set<std::string> seen;
  for (const auto& [name, tensor] : given) {
    if (find(own, name) == nullptr) result.push_back(name + " is unexpected");
    if (!seen.insert(name).second) result.push_back(name + " is given twice");
  }
  return result;
}

}  // namespace

Tensor Module::forward(const Tensor&) const {
  throw Error("Module::forward: this module takes no single tensor: call what its class has");
}

std::vector<Tensor> Module::parameters() const try {
  std::vector<Tensor> result;
  for (const auto& [name, tensor] : named_parameters()) result.push_back(tensor);
  return result;
} catch (...) {
  rethrow_as_error("parameters");
}

void Module::zero_grad() {
  for (Tensor& parameter : parameters()) parameter.zero_grad();
}

void Module::collect_parameters(const std::string& prefix, StateDict* result) const {
  for (const auto& [name, tensor] : parameters_) result->emplace_back(prefix + name, *tensor);
  for (const auto& [name, module] : modules_)
    module->collect_parameters(prefix + name + ".", result);
}

void Module::collect_buffers(const std::string& prefix, StateDict* result) const {
  for (const Buffer& buffer : buffers_) result->emplace_back(prefix + buffer.name, *buffer.tensor);
  for (const auto& [name, module] : modules_) module->collect_buffers(prefix + name + ".", result);
}

void Module::collect_state(const std::string& prefix, StateDict* result) const {
  for (const auto& [name, tensor] : parameters_) {
    result->emplace_back(prefix + name, tensor->detach());
  }
  for (const Buffer& buffer : buffers_) {
    if (buffer.persistent) result->emplace_back(prefix + buffer.name, buffer.tensor->detach());
  }
  for (const auto& [name, module] : modules_) module->collect_state(prefix + name + ".", result);
}

StateDict Module::state_dict() const try {
  StateDict result;
  collect_state("", &result);
  return result;
} catch (...) {
  rethrow_as_error("state_dict");
}

StateDict Module::named_parameters() const try {
  StateDict result;
  collect_parameters("", &result);
  return result;
} catch (...) {
  rethrow_as_error("named_parameters");
}

StateDict Module::named_buffers() const try {
  StateDict result;
  collect_buffers("", &result);
  return result;
} catch (...) {
  rethrow_as_error("named_buffers");
}

void Module::load_state_dict(const StateDict& tensors) try {
  const NoGrad off;
  StateDict own = state_dict();
  const std::vector<std::string> problems = complaints(own, tensors);
  if (!problems.empty()) {
    throw Error("load_state_dict: names and shapes must be those of state_dict(), but " +
                join(problems));
  }
  // All values are converted to memory of their own first: a conversion that fails changes
  // nothing, and `tensors` may be this module's own tensors under exchanged names.
  std::vector<Tensor> values;
  for (const auto& [name, tensor] : own) {
    values.push_back(find(tensors, name)->to(tensor.dtype()).clone());
  }
  for (std::size_t i = 0; i < own.size(); ++i) own[i].second.copy_(values[i]);
} catch (...) {
  rethrow_as_error("load_state_dict");
}

void Module::save(const std::string& path) const { save_safetensors(path, state_dict()); }

void Module::load(const std::string& path) try {
  const SafetensorsFile file = load_safetensors(path);
  for (const auto& [name, dtype] : file.unsupported) {
    throw Error("Module::load: file '" + path + "': tensor " + shown(name) + " has dtype " +
                shown(dtype) + ", which foveal lacks: save it as " + safetensors_names());
  }
  load_state_dict(file.tensors);
} catch (...) {
  rethrow_as_error("Module::load");
}

void Module::to(DType dtype) try {
  if (!is_floating(dtype)) {
    throw Error("Module::to: dtype is " + to_string(dtype) +
                ": it must be float32, float64, bfloat16 or float16");
  }
  const NoGrad off;
  const auto convert = [dtype](Tensor* tensor) {
    if (!is_floating(tensor->dtype())) return;
    TensorBuilder::replace(*tensor, tensor->to(dtype));
    convert_grad(*tensor);
  };
  for (const auto& [name, tensor] : parameters_) convert(tensor);
  for (const Buffer& buffer : buffers_) convert(buffer.tensor);
  for (const auto& [name, module] : modules_) module->to(dtype);
} catch (...) {
  rethrow_as_error("Module::to");
}

void Module::train(bool on) {
  training_ = on;
  for (const auto& [name, module] : modules_) module->train(on);
}

std::int64_t Module::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : named_parameters()) count += tensor.element_count();
  return count;
}

void Module::check_name(const std::string& name, const std::string& function) const {
  if (name.empty()) throw Error(function + ": name is empty: give one");
  if (name.find('.') != std::string::npos) {
    throw Error(function + ": name '" + name + "' holds a dot: dots join the names of submodules");
  }
  const auto has_name = [&name](const auto& entry) { return entry.first == name; };
  const auto is_buffer = [&name](const Buffer& buffer) { return buffer.name == name; };
  if (std::any_of(parameters_.begin(), parameters_.end(), has_name) ||
      std::any_of(buffers_.begin(), buffers_.end(), is_buffer) ||
      std::any_of(modules_.begin(), modules_.end(), has_name)) {
    throw Error(function + ": name '" + name + "' is taken: names must be unique within a module");
  }
}

void Module::register_parameter(const std::string& name, Tensor& tensor) {
  check_name(name, "register_parameter");
  if (!tensor.defined()) {
    throw Error("register_parameter: '" + name + "' is undefined: give it its values first");
  }
  if (is_floating(tensor.dtype())) tensor.requires_grad_();
  parameters_.emplace_back(name, &tensor);
}

void Module::register_buffer(const std::string& name, Tensor& tensor, bool persistent) {
  check_name(name, "register_buffer");
  if (!tensor.defined()) {
    throw Error("register_buffer: '" + name + "' is undefined: give it its values first");
  }
  buffers_.push_back({name, &tensor, persistent});
}

void Module::register_module(const std::string& name, Module& module) {
  check_name(name, "register_module");
  if (&module == this) throw Error("register_module: '" + name + "' is the module itself");
  modules_.emplace_back(name, &module);
}

void ModuleList::append(Module& module) {
  register_module(std::to_string(list_.size()), module);
  list_.push_back(&module);
}

void ModuleList::take(std::unique_ptr<Module> module) {
  if (module == nullptr) {
    throw Error("append: module is null: give one from std::make_unique");
  }
  // Owned before it is registered: what is registered must stay.
  owned_.push_back(std::move(module));
  append(*owned_.back());
}

Module& ModuleList::operator[](std::int64_t index) const {
  if (index >= 0 && index < size()) return *list_[static_cast<std::size_t>(index)];
  throw Error("ModuleList: index is " + std::to_string(index) + " but the list holds " +
              std::to_string(list_.size()) + " modules: it must be from 0 to one below that");
}

}  // namespace foveal::nn
