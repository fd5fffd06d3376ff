// einsum of two tensors, as one matmul between views.

#include <algorithm>
#include <string>

#include "core/door.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/check.h"

namespace foveal {
namespace {

/// "bld,de->ble" taken apart.
struct Equation {
  std::string a, b, out;
};

bool holds_letter(const std::string& letters, char letter) {
  return letters.find(letter) != std::string::npos;
}

void require_letters(const std::string& letters, const std::string& context) {
  for (const char letter : letters) {
    if (!((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z'))) {
      throw Error(context + ": axes are named by letters, not '" + letter + "'");
    }
    if (std::count(letters.begin(), letters.end(), letter) > 1) {
      throw Error(context + ": letter " + letter + " stands twice in '" + letters +
                  "': give each axis a letter of its own");
    }
  }
}

Equation parse(const std::string& equation) {
  std::string text = equation;
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const std::string context = "einsum: '" + equation + "'";
  const std::size_t comma = text.find(','), arrow = text.find("->");
  if (comma == std::string::npos || arrow == std::string::npos || comma > arrow) {
    throw Error(context +
                " must have the form 'ab,bc->ac': the letters of a's axes, of b's, and "
                "after -> those of the result");
  }
  Equation result{text.substr(0, comma), text.substr(comma + 1, arrow - comma - 1),
                  text.substr(arrow + 2)};
  for (const std::string* const letters : {&result.a, &result.b, &result.out}) {
    require_letters(*letters, context);
  }
  for (const char letter : result.out) {
    if (holds_letter(result.a, letter) || holds_letter(result.b, letter)) continue;
    throw Error(context + ": letter " + letter + " of the result stands in neither a nor b");
  }
  return result;
}

void require_fits(const Equation& equation, const Tensor& a, const Tensor& b) {
  const auto require_rank = [](const std::string& letters, const Tensor& tensor, const char* name) {
    require_defined(tensor, "einsum", name);
    if (static_cast<std::int64_t>(letters.size()) == tensor.rank()) return;
    throw Error(std::string("einsum: ") + name + " has shape " + to_string(tensor.shape()) +
                " but '" + letters + "' names " + std::to_string(letters.size()) +
                " axes: give one letter an axis");
  };
  require_rank(equation.a, a, "a");
  require_rank(equation.b, b, "b");
  require_same_dtype(a, "a", b, "b", "einsum");
  for (std::size_t axis = 0; axis < equation.a.size(); ++axis) {
    const std::size_t other = equation.b.find(equation.a[axis]);
    if (other == std::string::npos || a.shape()[axis] == b.shape()[other]) continue;
    throw Error(std::string("einsum: letter ") + equation.a[axis] + " has size " +
                std::to_string(a.shape()[axis]) + " in a of shape " + to_string(a.shape()) +
                " but " + std::to_string(b.shape()[other]) + " in b of shape " +
                to_string(b.shape()) + ": they must be the same");
  }
}

/// A tensor whose axes have letters.
struct Named {
  Tensor tensor;
  std::string letters;

  std::int64_t size_of(const std::string& some) const {
    std::int64_t size = 1;
    for (const char letter : some) size *= tensor.shape()[letters.find(letter)];
    return size;
  }
};

/// Summed over the axes that stand in none of the others.
Named without_lonely_axes(Named named, const std::string& others) {
  for (std::size_t axis = named.letters.size(); axis-- > 0;) {
    if (holds_letter(others, named.letters[axis])) continue;
    named.tensor = sum(named.tensor, static_cast<std::int64_t>(axis));
    named.letters.erase(axis, 1);
  }
  return named;
}

/// The letters of `letters` for which keep(letter).
template <class Keep>
std::string filtered(const std::string& letters, const Keep& keep) {
  std::string result;
  std::copy_if(letters.begin(), letters.end(), std::back_inserter(result), keep);
  return result;
}

Tensor in_order(const Named& named, const std::string& order) {
  std::vector<std::int64_t> axes;
  for (const char letter : order) {
    axes.push_back(static_cast<std::int64_t>(named.letters.find(letter)));
  }
  return named.tensor.permute(axes);
}

/// (batch axes, all axes of `rows` as one, all of `columns` as one).
Tensor as_matrices(const Named& named, const std::string& batch, const std::string& rows,
                   const std::string& columns) {
  const Tensor ordered = in_order(named, batch + rows + columns);
  Shape shape(ordered.shape().begin(),
              ordered.shape().begin() + static_cast<std::ptrdiff_t>(batch.size()));
  shape.push_back(named.size_of(rows));
  shape.push_back(named.size_of(columns));
  return ordered.reshape(shape);
}

}  // namespace

Tensor einsum(const std::string& equation, const Tensor& a, const Tensor& b) try {
  const Equation parsed = parse(equation);
  require_fits(parsed, a, b);
  const Named left = without_lonely_axes({a, parsed.a}, parsed.b + parsed.out);
  const Named right = without_lonely_axes({b, parsed.b}, parsed.a + parsed.out);
  const auto in_out = [&](char letter) { return holds_letter(parsed.out, letter); };
  const auto in_left = [&](char letter) { return holds_letter(left.letters, letter); };
  const auto in_right = [&](char letter) { return holds_letter(right.letters, letter); };
  const std::string batch =
      filtered(parsed.out, [&](char letter) { return in_left(letter) && in_right(letter); });
  const std::string rows = filtered(parsed.out, [&](char letter) { return !in_right(letter); });
  const std::string columns = filtered(parsed.out, [&](char letter) { return !in_left(letter); });
  const std::string inner =
      filtered(left.letters, [&](char letter) { return in_right(letter) && !in_out(letter); });
  const Tensor product =
      matmul(as_matrices(left, batch, rows, inner), as_matrices(right, batch, inner, columns));
  Shape shape(product.shape().begin(), product.shape().end() - 2);
  for (const char letter : rows) shape.push_back(left.size_of(std::string(1, letter)));
  for (const char letter : columns) shape.push_back(right.size_of(std::string(1, letter)));
  return in_order({product.reshape(shape), batch + rows + columns}, parsed.out).contiguous();
} catch (...) {
  rethrow_as_error("einsum");
}

}  // namespace foveal
