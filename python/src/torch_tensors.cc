#include "torch_tensors.h"

#include <cstdint>
#include <memory>
#include <string>

namespace nb = nanobind;

namespace foveal::python {
namespace {

/// DLPack's DLManagedTensor, and the tensor whose memory, shape and strides it shows.
struct Exported {
  nb::dlpack::dltensor shown;
  void* context = nullptr;
  void (*deleter)(Exported*) = [](Exported* self) { delete self; };
  Tensor tensor;
};

/// The same as DLManagedTensorVersioned.
struct ExportedVersioned {
  std::uint32_t major = 1, minor = 0;
  void* context = nullptr;
  void (*deleter)(ExportedVersioned*) = [](ExportedVersioned* self) { delete self; };
  std::uint64_t flags = 0;
  nb::dlpack::dltensor shown;
  Tensor tensor;
};

template <class Managed>
std::unique_ptr<Managed> exported(const Tensor& tensor) {
  auto made = std::make_unique<Managed>();
  made->tensor = tensor;
  nb::dlpack::dltensor& shown = made->shown;
  shown.data = made->tensor.raw_data();
  shown.device = {nb::device::cpu::value, 0};
  shown.ndim = static_cast<std::int32_t>(tensor.rank());
  shown.dtype = dlpack_of(tensor.dtype());
  shown.shape = const_cast<std::int64_t*>(made->tensor.shape().data());
  shown.strides = const_cast<std::int64_t*>(made->tensor.strides().data());
  return made;
}

/// DLPack's DLPackExchangeAPI, major version 1. Functions give 0, or set a Python error.
struct Exchange {
  std::uint32_t major, minor;
  Exchange* older;
  void* allocate;
  void* managed_from_object;
  int (*object_from_managed)(ExportedVersioned*, void** object);
  int (*see)(void* object, nb::dlpack::dltensor*);
  void* work_stream;
};

/// PyTorch's functions; never given back, as a static object would outlive the interpreter.
PyObject* torch_to_dlpack = nullptr;
PyObject* torch_from_dlpack = nullptr;
const Exchange* torch_exchange = nullptr;

constexpr const char* kCapsule = "dltensor";

const Exchange* exchange_in(nb::handle capsule) {
  if (capsule.is_none()) return nullptr;
  const auto* table =
      static_cast<const Exchange*>(PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
  if (table == nullptr) PyErr_Clear();
  while (table != nullptr && table->major != 1) table = table->older;
  return table;
}

std::string text_of_attribute(nb::handle tensor, const char* attribute) {
  return nb::str(nb::getattr(tensor, attribute, nb::none())).c_str();
}

/// Throws where a tensor isn't on a CPU.
void check_device(nb::handle tensor, const char* name) {
  const std::string device = text_of_attribute(tensor, "device");
  if (device == "cpu") return;
  throw nb::value_error((std::string("attention: ") + name + " is on " + device +
                         ": foveal runs on CPUs; give it with .cpu()")
                            .c_str());
}

/// Why PyTorch can't show a tensor, in the library's words.
[[noreturn]] void refuse(nb::handle tensor, const char* name) {
  check_device(tensor, name);
  const std::string layout = text_of_attribute(tensor, "layout");
  if (layout != "torch.strided") {
    throw nb::type_error(
        (std::string("attention: ") + name + " has layout " + layout + ": give it with .to_dense()")
            .c_str());
  }
  refuse_dtype(name, text_of_attribute(tensor, "dtype"));
}

SeenTensor see_by_table(nb::handle tensor, const char* name) {
  SeenTensor seen{{}, nb::borrow(tensor)};
  if (torch_exchange->see(tensor.ptr(), &seen.lies) != 0) {
    PyErr_Clear();
    refuse(tensor, name);
  }
  return seen;
}

SeenTensor see_by_capsule(nb::handle tensor, const char* name) {
  nb::object capsule;
  try {
    capsule = nb::handle(torch_to_dlpack)(tensor);
  } catch (const nb::python_error&) {
    refuse(tensor, name);
  }
  const void* managed = PyCapsule_GetPointer(capsule.ptr(), kCapsule);
  if (managed == nullptr) throw nb::python_error();
  // DLManagedTensor begins with its DLTensor. The capsule, never renamed, frees it at its end.
  return {*static_cast<const nb::dlpack::dltensor*>(managed), std::move(capsule)};
}

}  // namespace

void set_torch(nb::object to_dlpack, nb::object from_dlpack, nb::handle exchange) {
  torch_to_dlpack = to_dlpack.release().ptr();
  torch_from_dlpack = from_dlpack.release().ptr();
  torch_exchange = exchange_in(exchange);
}

bool has_torch() { return torch_to_dlpack != nullptr; }

SeenTensor see_torch(nb::handle tensor, const char* name) {
  SeenTensor seen =
      torch_exchange != nullptr ? see_by_table(tensor, name) : see_by_capsule(tensor, name);
  if (seen.lies.device.device_type != nb::device::cpu::value) check_device(tensor, name);
  return seen;
}

nb::object to_torch(const Tensor& tensor) {
  if (torch_exchange != nullptr) {
    void* object = nullptr;
    // It takes the tensor over, whether it succeeds or not.
    if (torch_exchange->object_from_managed(exported<ExportedVersioned>(tensor).release(),
                                            &object) != 0) {
      throw nb::python_error();
    }
    return nb::steal(static_cast<PyObject*>(object));
  }
  auto made = exported<Exported>(tensor);
  // Who takes the tensor over renames the capsule.
  const nb::object capsule = nb::steal(PyCapsule_New(made.get(), kCapsule, [](PyObject* self) {
    if (PyCapsule_IsValid(self, kCapsule) == 0) return;
    auto* const left = static_cast<Exported*>(PyCapsule_GetPointer(self, kCapsule));
    left->deleter(left);
  }));
  if (!capsule.is_valid()) throw nb::python_error();
  static_cast<void>(made.release());
  return nb::handle(torch_from_dlpack)(capsule);
}

}  // namespace foveal::python
