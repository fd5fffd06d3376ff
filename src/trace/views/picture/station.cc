#include "trace/views/picture/station.h"

#include <algorithm>

#include "trace/input/sizes.h"

namespace foveal::trace {
namespace {

/// What stands above has its columns over those of the step.
void align(Station& station) {
  if (!station.above) return;
  draw::GridSizes& main = station.main.sizes;
  draw::GridSizes& above = station.above->sizes;
  main.label_width = above.label_width = std::max(main.label_width, above.label_width);
  const bool same = main.numbers && above.numbers &&
                    station.main.grids[0].columns() == station.above->grids[0].columns();
  if (same) main.cell_width = above.cell_width = std::max(main.cell_width, above.cell_width);
}

std::optional<draw::Panel> side_input(const Record& record, const Step& step, const Pair& pair,
                                      const Room& room) {
  if (const auto one = projection_of(record.input, step.name)) {
    const std::int64_t blocks = step.name == StepName::output ? 1 : record.input.settings.num_heads;
    return weight_panel(one->name, one->weight, one->bias, blocks, room);
  }
  switch (step.name) {
    case StepName::masked_scores:
      return step_panel(record, *find_step(record, StepName::mask), pair, room);
    case StepName::dropped_weights:
      return step_panel(record, *find_step(record, StepName::dropout_mask), pair, room);
    default:
      return std::nullopt;
  }
}

/// The steps that `step` is made from, but for what stands above it. `before` stands before it.
std::vector<StepName> operands(StepName step, StepName before) {
  if (is_projection(step)) return {StepName::inputs};
  if (step == StepName::scores) return {StepName::queries, StepName::keys};
  if (step == StepName::context) return {before, StepName::values};
  return step == StepName::inputs ? std::vector<StepName>{} : std::vector<StepName>{before};
}

}  // namespace

std::vector<Station> stations(const Record& record, const Pair& pair, const Room& room) {
  std::vector<Station> stations;
  std::vector<StepName> names;
  for (const Step& step : record.steps) {
    if (step.name == StepName::mask || step.name == StepName::dropout_mask)
      continue;  // stand above another step
    Station station;
    station.main = step_panel(record, step, pair, room);
    station.above = side_input(record, step, pair, room);
    station.by = led_by(record, step);
    for (const StepName operand : operands(step.name, names.empty() ? step.name : names.back())) {
      station.from.push_back(
          static_cast<std::size_t>(std::find(names.begin(), names.end(), operand) - names.begin()));
    }
    station.beside = is_projection(step.name);
    station.starts_group = step.name == StepName::scores || step.name == StepName::weights ||
                           step.name == StepName::context;
    station.starts_line = step.name == StepName::scores;
    align(station);
    names.push_back(step.name);
    stations.push_back(std::move(station));
  }
  return stations;
}

double station_width(const Station& station) {
  const double main = draw::panel_width(station.main);
  return station.above ? std::max(main, draw::panel_width(*station.above)) : main;
}

}  // namespace foveal::trace
