// Slips of the heads: cut, ordered, joined or used otherwise.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/filled.h"
#include "foveal/operations.h"
#include "foveal/reference.h"
#include "trace/check/slips/list.h"

namespace foveal::trace {
namespace {

/// (L, H D) -> (H, L, D), and back: in the right way or another.
using Split = std::function<Tensor(const Tensor& wide, std::int64_t heads)>;
using Join = std::function<Tensor(const Tensor& by_head)>;

const std::vector<StepName> kProjections = {StepName::queries, StepName::keys, StepName::values};
constexpr std::int64_t kMostOrdered = 4;  ///< heads whose every order is tried

Tensor contexts(const Steps& before) {
  return reference::context(before[StepName::dropped_weights], before[StepName::values]);
}

Rule joined(const Join& join) {
  return [join](const Steps& before) { return join(contexts(before)); };
}

/// Queries, keys and values cut otherwise: what was wide is joined back, then split by `split`.
void cut_by(const Split& split, std::int64_t heads, Recipe& recipe,
            const std::vector<StepName>& steps = kProjections) {
  for (const StepName step : steps) {
    recipe[step] = [right = recipe[step], split, heads](const Steps& before) {
      return split(join_heads(right(before)), heads);
    };
  }
}

Tensor reshaped(const Tensor& wide, std::int64_t heads) {
  return wide.contiguous().view({heads, wide.size(0), wide.size(1) / heads});
}

Tensor interleaved(const Tensor& wide, std::int64_t heads) {
  return wide.contiguous()
      .view({wide.size(0), wide.size(1) / heads, heads})
      .permute({2, 0, 1})
      .contiguous();
}

Tensor joined_by_view(const Tensor& by_head) {
  return by_head.contiguous().view({by_head.size(1), by_head.size(0) * by_head.size(2)});
}

Tensor joined_interleaved(const Tensor& by_head) {
  return by_head.permute({1, 2, 0}).contiguous().view(
      {by_head.size(1), by_head.size(0) * by_head.size(2)});
}

/// A way to cut, with each way in which the heads may have been joined after it.
void add_cut(SlipList* list, const std::string& kind, const std::string& text, const Split& split,
             const std::vector<Join>& joins) {
  const std::int64_t heads = list->sizes().H;
  for (const Join& join : joins) {
    list->plant(kind, StepName::queries, text, [split, join, heads](Recipe& recipe) {
      cut_by(split, heads, recipe);
      recipe[StepName::context] = joined(join);
    });
  }
}

/// One of the three cut so, the others rightly.
void add_cut_of_one(SlipList* list, const std::string& kind, const std::string& text,
                    const Split& split) {
  const std::int64_t heads = list->sizes().H;
  for (const StepName step : kProjections) {
    list->plant(kind, step, filled("{}, the {} alone", text, foveal::trace::text(step)),
                [=](Recipe& recipe) { cut_by(split, heads, recipe, {step}); });
  }
}

Tensor in_order(const Tensor& by_head, const std::vector<std::int64_t>& order) {
  const auto size = static_cast<std::int64_t>(order.size());
  return index_select(by_head, 0, Tensor::from_vector(order, {size}));
}

/// Every order but the right one; of many heads, the reversed and the rotated.
std::vector<std::vector<std::int64_t>> orders(std::int64_t heads) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(heads));
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::vector<std::int64_t>> all;
  if (heads <= kMostOrdered) {
    while (std::next_permutation(order.begin(), order.end())) all.push_back(order);
    return all;
  }
  all.emplace_back(order.rbegin(), order.rend());
  for (const std::ptrdiff_t turn : {std::ptrdiff_t{1}, static_cast<std::ptrdiff_t>(heads) - 1}) {
    all.push_back(order);
    std::rotate(all.back().begin(), all.back().begin() + turn, all.back().end());
  }
  return all;
}

void add_orders(SlipList* list) {
  const std::int64_t heads = list->sizes().H;
  for (const std::vector<std::int64_t>& order : orders(heads)) {
    const std::string text = filled("the heads are in another order: {}", joined_with(order, ", "));
    const Split split = [order](const Tensor& wide, std::int64_t count) {
      return in_order(split_heads(wide, count), order);
    };
    list->add("heads_order", StepName::context, text, [order](const Steps& before) {
      return join_heads(in_order(contexts(before), order));
    });
    std::vector<std::int64_t> back(order.size());
    for (std::size_t h = 0; h < order.size(); ++h) back[order[h]] = static_cast<std::int64_t>(h);
    add_cut(list, "heads_order", text, split,
            {join_heads, [back](const Tensor& x) { return join_heads(in_order(x, back)); }});
    add_cut_of_one(list, "heads_order", text, split);
  }
}

/// Every head has the mean of all.
Tensor averaged(const Tensor& by_head) {
  return mean(by_head, 0, true).expand(by_head.shape()).contiguous();
}

void add_averaged(SlipList* list) {
  const std::string text = "the heads were averaged: each has the mean of all";
  for (const StepName step : {StepName::weights, StepName::dropped_weights}) {
    list->plant("heads_averaged", step, text, [step](Recipe& recipe) {
      recipe[step] = [right = recipe[step]](const Steps& before) {
        return averaged(right(before));
      };
    });
  }
  list->add("heads_averaged", StepName::context, text,
            joined([](const Tensor& by_head) { return join_heads(averaged(by_head)); }));
}

/// Every head has what head `which` has.
Tensor only(const Tensor& by_head, std::int64_t which) {
  return by_head[which].unsqueeze(0).expand(by_head.shape()).contiguous();
}

void add_reused(SlipList* list) {
  const std::int64_t heads = list->sizes().H;
  for (std::int64_t h = 0; h < heads; ++h) {
    const std::string text = filled("head {} was used for every head", h);
    for (const StepName step : {StepName::weights, StepName::dropped_weights, StepName::scores}) {
      list->plant("head_reused", step, text, [step, h](Recipe& recipe) {
        recipe[step] = [right = recipe[step], h](const Steps& before) {
          return only(right(before), h);
        };
      });
    }
    list->plant("head_reused", StepName::queries, text, [h, heads](Recipe& recipe) {
      cut_by(
          [h](const Tensor& wide, std::int64_t count) { return only(split_heads(wide, count), h); },
          heads, recipe);
    });
    list->add("head_reused", StepName::context, text,
              joined([h](const Tensor& by_head) { return join_heads(only(by_head, h)); }));
  }
}

/// Attention with one head as wide as all, scaled by 1/√d_out; dropped with head 0's draws.
Tensor as_one_head(const Steps& before, double factor,
                   const std::optional<DropoutSetting>& dropout) {
  Tensor scores =
      reference::scores(join_heads(before[StepName::queries]), join_heads(before[StepName::keys]));
  scores = reference::scaled_scores(scores, factor);
  if (before[StepName::mask].defined())
    scores = reference::masked_scores(scores, before[StepName::mask]);
  Tensor weights = reference::weights(scores);
  if (dropout) {
    weights = reference::dropped_weights(weights, before[StepName::dropout_mask][0].contiguous(),
                                         dropout->p);
  }
  return reference::context(weights, join_heads(before[StepName::values]));
}

void add_one_head(SlipList* list) {
  const double right = scale_factor(list->input());
  std::vector<double> factors = {right};
  if (list->input().settings.scale.kind == Scale::Kind::sqrt) {
    factors.insert(factors.begin(), 1 / std::sqrt(static_cast<double>(list->sizes().d)));
  }
  for (const double factor : factors) {
    list->add(
        "one_head", StepName::context,
        filled("one head as wide as all {}: the queries were not cut into heads", list->sizes().H),
        [factor, dropout = list->input().settings.dropout](const Steps& before) {
          return as_one_head(before, factor, dropout);
        });
  }
}

}  // namespace

void add_head_slips(SlipList* list) {
  if (list->sizes().H == 1) return;
  add_cut(list, "heads_reshaped",
          "cut by view alone: view (H, L, D) instead of view (L, H, D) and transpose, so heads mix "
          "tokens",
          reshaped, {joined_by_view, join_heads});
  list->add("heads_joined_without_transpose", StepName::context,
            "joined without transposing back: view (L, d) of (H, L, D) mixes tokens and heads",
            joined(joined_by_view));
  add_cut(list, "heads_interleaved",
          "cut in turns: head h took columns h, h + H, … instead of a block of D columns",
          interleaved, {joined_interleaved, join_heads});
  add_cut_of_one(list, "heads_reshaped", "cut by view alone", reshaped);
  add_cut_of_one(list, "heads_interleaved", "cut in turns", interleaved);
  list->add("heads_interleaved", StepName::context,
            "joined in turns: column h, h + H, … are head h's instead of a block of D columns",
            joined(joined_interleaved));
  add_one_head(list);
  add_averaged(list);
  add_orders(list);
  add_reused(list);
}

}  // namespace foveal::trace
