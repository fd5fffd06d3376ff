#include "draw/colour.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "foveal/error.h"

namespace foveal::draw {
namespace {

using Triple = std::array<double, 3>;
using Matrix = std::array<Triple, 3>;

// Linear sRGB -> cone responses -> (after a cube root) OKLab, and back.
constexpr Matrix kConesFromLinear{{{0.4122214708, 0.5363325363, 0.0514459929},
                                   {0.2119034982, 0.6806995451, 0.1073969566},
                                   {0.0883024619, 0.2817188376, 0.6299787005}}};
constexpr Matrix kLabFromRoots{{{0.2104542553, 0.7936177850, -0.0040720468},
                                {1.9779984951, -2.4285922050, 0.4505937099},
                                {0.0259040371, 0.7827717662, -0.8086757660}}};
constexpr Matrix kRootsFromLab{{{1, 0.3963377774, 0.2158037573},
                                {1, -0.1055613458, -0.0638541728},
                                {1, -0.0894841775, -1.2914855480}}};
constexpr Matrix kLinearFromCones{{{4.0767416621, -3.3077115913, 0.2309699292},
                                   {-1.2684380046, 2.6097574011, -0.3413193965},
                                   {-0.0041960863, -0.7034186147, 1.7076147010}}};

Triple multiply(const Matrix& matrix, const Triple& vector) {
  Triple result{};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 3; ++column) {
      result[row] += matrix[row][column] * vector[column];
    }
  }
  return result;
}

double linear_from_encoded(double value) {
  return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
}

double encoded_from_linear(double value) {
  return value <= 0.0031308 ? value * 12.92 : 1.055 * std::pow(value, 1 / 2.4) - 0.055;
}

Triple linear(const Colour& colour) {
  return {linear_from_encoded(colour.red), linear_from_encoded(colour.green),
          linear_from_encoded(colour.blue)};
}

Triple lab_from(const Colour& colour) {
  Triple cones = multiply(kConesFromLinear, linear(colour));
  for (double& cone : cones) cone = std::cbrt(cone);
  return multiply(kLabFromRoots, cones);
}

Colour colour_from(const Triple& lab) {
  Triple cones = multiply(kRootsFromLab, lab);
  for (double& cone : cones) cone = cone * cone * cone;
  const Triple rgb = multiply(kLinearFromCones, cones);
  return {encoded_from_linear(rgb[0]), encoded_from_linear(rgb[1]), encoded_from_linear(rgb[2])};
}

double luminance(const Colour& colour) {
  const Triple rgb = linear(colour);
  return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
}

int byte_from(double value) {
  return static_cast<int>(std::lround(std::clamp(value, 0.0, 1.0) * 255));
}

}  // namespace

Colour parse_colour(const std::string& hex) {
  unsigned value = 0;
  char rest = 0;
  if (hex.size() != 7 || std::sscanf(hex.c_str(), "#%6x%c", &value, &rest) != 1) {
    throw Error("colour \"" + hex + "\": must be #rrggbb", ErrorKind::internal);
  }
  return {(value >> 16) / 255.0, (value >> 8 & 0xff) / 255.0, (value & 0xff) / 255.0};
}

std::string to_hex(const Colour& colour) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "#%02x%02x%02x", byte_from(colour.red),
                byte_from(colour.green), byte_from(colour.blue));
  return text.data();
}

Colour mix(const Colour& from, const Colour& to, double share) {
  const Triple a = lab_from(from);
  const Triple b = lab_from(to);
  Triple mixed{};
  for (std::size_t i = 0; i < 3; ++i) mixed[i] = a[i] + (b[i] - a[i]) * share;
  return colour_from(mixed);
}

double contrast(const Colour& a, const Colour& b) {
  const double first = luminance(a);
  const double second = luminance(b);
  return (std::max(first, second) + 0.05) / (std::min(first, second) + 0.05);
}

}  // namespace foveal::draw
