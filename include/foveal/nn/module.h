#pragma once
// Module: named parameters, buffers and submodules.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "foveal/state_dict.h"

#pragma GCC visibility push(default)
namespace foveal::nn {

/// Base of all layers. A derived class keeps its tensors and layers as ordinary members and
/// registers them by name in its constructor; a tensor member that isn't registered is invisible to
/// state_dict() and to(), which is the story of docs/buffers.md. Modules stay where they are made
/// (registration keeps pointers to members): they are neither copied nor moved.
class Module {
 public:
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  /// What the layer makes of one tensor. Throws Error where the class takes something else.
  virtual Tensor forward(const Tensor& x) const;

  /// Parameters and persistent buffers with their dotted names ("heads.0.W_query.weight"), in
  /// PyTorch's order: own parameters, own buffers, then submodules. The tensors share memory with
  /// the module's, and are detached.
  StateDict state_dict() const;

  /// Copies values in, converted to each entry's dtype. Missing, unexpected and wrongly shaped
  /// entries are one error that lists them all; then nothing is changed.
  void load_state_dict(const StateDict& tensors);

  /// state_dict() to a safetensors file, and back (the errors of both).
  void save(const std::string& path) const;
  void load(const std::string& path);

  /// Converts floating parameters, with their gradients, and buffers, here and below; others stay.
  /// All handles on them, an optimiser's too, see the converted tensors.
  void to(DType dtype);

  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }

  /// Handles on the parameters, in the order of state_dict().
  std::vector<Tensor> parameters() const;
  /// Of all parameters.
  void zero_grad();

  StateDict named_parameters() const;
  StateDict named_buffers() const;
  /// How many numbers the parameters hold.
  std::int64_t parameter_count() const;

 protected:
  /// Names are not empty, hold no dot and are unique within the module; the tensor is defined. A
  /// floating parameter requires a gradient from now on.
  void register_parameter(const std::string& name, Tensor& tensor);
  /// A buffer is state without a gradient. A persistent one is part of state_dict().
  void register_buffer(const std::string& name, Tensor& tensor, bool persistent = true);
  void register_module(const std::string& name, Module& module);

 private:
  struct Buffer {
    std::string name;
    Tensor* tensor;
    bool persistent;
  };

  void check_name(const std::string& name, const std::string& function) const;
  void collect_parameters(const std::string& prefix, StateDict* result) const;
  void collect_buffers(const std::string& prefix, StateDict* result) const;
  void collect_state(const std::string& prefix, StateDict* result) const;

  std::vector<std::pair<std::string, Tensor*>> parameters_;
  std::vector<Buffer> buffers_;
  std::vector<std::pair<std::string, Module*>> modules_;
  bool training_ = true;
};

/// Submodules named "0", "1", ... in the order they were appended.
class ModuleList : public Module {
 public:
  /// A module that lives elsewhere, at least as long as the list.
  void append(Module& module);
  /// Takes the module as the next one, and gives it back, so that its members can be reached. One
  /// at a time, so that it is plain in which order they draw their weights.
  template <class Layer>
  Layer& append(std::unique_ptr<Layer> module) {
    Layer* const given = module.get();
    take(std::move(module));
    return *given;
  }

  std::int64_t size() const { return static_cast<std::int64_t>(list_.size()); }
  /// Throws Error where `index` is not from 0 to size() - 1.
  Module& operator[](std::int64_t index) const;
  /// for (const Module* module : list) ...
  std::vector<Module*>::const_iterator begin() const { return list_.begin(); }
  std::vector<Module*>::const_iterator end() const { return list_.end(); }

 private:
  void take(std::unique_ptr<Module> module);

  std::vector<Module*> list_;
  std::vector<std::unique_ptr<Module>> owned_;
};

}  // namespace foveal::nn
#pragma GCC visibility pop
