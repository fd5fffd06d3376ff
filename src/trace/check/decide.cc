// Which of the slips that fit is named.

#include <algorithm>
#include <cmath>

#include "trace/check/agreement.h"
#include "trace/check/step_exam.h"

namespace foveal::trace {
namespace {

/// A slip is named where it would fit by chance less often than this.
const double kMostChance = std::log2(1.0 / 20);
constexpr double kNumberForInfinity = -12;
constexpr std::size_t kMostSaid = 4;  ///< kinds that a sentence lists

/// One fit a kind, the first of each; a chance among them only where the kind has no better.
std::vector<Fit> one_a_kind(const std::vector<Fit>& fits) {
  std::vector<Fit> kinds;
  for (const Fit& fit : fits) {
    const auto same = std::find_if(kinds.begin(), kinds.end(),
                                   [&fit](const Fit& k) { return k.kind == fit.kind; });
    if (same == kinds.end()) {
      kinds.push_back(fit);
    } else if (same->is_chance() && !fit.is_chance()) {
      *same = fit;
    }
  }
  return kinds;
}

std::string either(const std::vector<Fit>& fits) {
  std::string words;
  for (std::size_t i = 0; i < fits.size() && i < kMostSaid; ++i) {
    words += (i == 0 ? "" : ", or ") + fits[i].text;
  }
  return fits.size() > 1 ? "either " + words : words;
}

}  // namespace

bool Fit::is_chance() const {
  return std::log2(static_cast<double>(std::max<std::size_t>(1, tried))) + share > kMostChance;
}

void StepExam::decide_together(const std::vector<Proposal>& proposals) {
  std::size_t explained = 0;
  for (const Proposal& one : proposals) {
    const bool sure = std::any_of(one.fits.begin(), one.fits.end(),
                                  [](const Fit& fit) { return !fit.is_chance(); });
    if (sure) explained += one.cells.size();
  }
  if (2 * explained < open().size() && open().size() > 1) return;
  for (const Proposal& one : proposals) decide(one.cells, one.fits);
}

double StepExam::log_share(const Finding& cell, double more) const {
  // Where −∞ should stand, a number of any kind tells of the mask.
  if (std::isinf(cell.ours) && std::isfinite(cell.printed.value)) return kNumberForInfinity;
  if (!std::isfinite(cell.printed.value) || span_ == 0) return -2;
  const double width = 2 * (std::max(half_unit(cell.printed), 1e-9) + more);
  return std::min(0.0, std::log2(width / span_));
}

double StepExam::share(const Cells& cells) const {
  double sum = 0;
  bool pattern = step_ == StepName::mask || step_ == StepName::dropout_mask;
  for (const Finding* cell : cells) {
    sum += log_share(*cell, 0);
    pattern = pattern || !std::isfinite(cell->printed.value);
  }
  // Where cells are masked or not, those that are right tell as much as those that are wrong.
  return pattern ? std::min(sum, -static_cast<double>(cells_.size())) : sum;
}

bool StepExam::is_whole() const {
  return std::all_of(cells_.begin(), cells_.end(), [](const Finding& cell) {
    return std::isfinite(cell.ours) && std::abs(cell.ours - std::round(cell.ours)) < 1e-9 &&
           std::abs(cell.printed.value - std::round(cell.printed.value)) < 1e-9;
  });
}

void StepExam::prefer_what_fits_later(std::vector<Fit>* fits) const {
  const auto contradicted = [this](const Fit& fit) {
    if (fit.slip != nullptr) return !carried_.fits_all(*fit.slip);
    return fit.kind == "cut" && !carried_.are_cut_after(step_);
  };
  if (fits->size() < 2 || std::all_of(fits->begin(), fits->end(), contradicted)) return;
  fits->erase(std::remove_if(fits->begin(), fits->end(), contradicted), fits->end());
}

void StepExam::decide(const Cells& cells, std::vector<Fit> fits, Needs needs) {
  if (fits.empty()) return;
  prefer_what_fits_later(&fits);
  fits = one_a_kind(fits);
  const auto named = std::find_if(fits.begin(), fits.end(), [&](const Fit& fit) {
    return needs == Needs::nothing || !fit.is_chance();
  });
  const bool certain = named != fits.end();
  if (!certain && only_certain_) return;
  if (certain) std::rotate(fits.begin(), named, named + 1);
  for (Finding* cell : cells) {
    if (certain) cell->meant = fits.front().meant;
    for (const Fit& fit : fits) {
      if (certain && &fit == &fits.front()) continue;
      cell->also.push_back(fit.kind);
    }
    cell->slip = certain ? either(fits) : "";
    if (!certain) cell->also_text = either(fits);
    if (certain) cell->kind = fits.front().kind;
  }
  if (!certain || fits.front().slip == nullptr) return;
  carried_.plant(*fits.front().slip);
  // Weights that are 0 as printed don't tell whether they were dropped.
  if (fits.front().kind == "dropout_other_mask") carried_.doubt();
}

}  // namespace foveal::trace
