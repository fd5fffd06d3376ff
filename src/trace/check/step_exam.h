#pragma once
// The wrong numbers of one printed step, and what explains them.

#include <initializer_list>
#include <list>
#include <map>

#include "trace/check/carried.h"
#include "trace/check/cell_slips.h"
#include "trace/run/cell_names.h"

namespace foveal::trace {

/// What explains all of some wrong numbers.
struct Fit {
  std::string kind, text;
  std::size_t tried = 1;          ///< slips that were tried to find it
  double share = 0;               ///< log2 of the share of the span that the digits leave to chance
  const Slip* slip = nullptr;     ///< what to carry on; null: the numbers themselves
  std::optional<double> meant{};  ///< of one cell: the number with all its digits

  /// Whether so many recipes would fit so few digits by chance, more often than 1 in 20.
  bool is_chance() const;
};

/// Looks at the wrong numbers of a step in order: what follows from earlier ones, a slip of the
/// whole step, then slips that a row or one number shows. A number is open until it is explained.
class StepExam {
 public:
  /// `before`: the findings of earlier steps. `carried`: all of them settled. All must outlive the
  /// exam, which fills `cells` and plants in `carried` what it finds.
  StepExam(const Record& record, const std::vector<Slip>& slips, const std::vector<Finding>& before,
           std::vector<Finding>& cells, Carried& carried);

  void explain();

 private:
  using Cells = std::vector<Finding*>;

  /// Looks in one way after the other, as long as something is open.
  void look(std::initializer_list<void (StepExam::*)()> ways);
  Cells open();
  bool slipped() const;

  // step_exam.cc: consequences
  void remark_on_fills();
  std::optional<std::size_t> source(const Finding& cell, bool must_feed) const;
  void follow(Finding* cell, std::size_t from) const;
  void name_following();
  bool in_range(const Finding& cell) const;
  bool all_in_range() const;
  void name_following_in_ranges();
  void remark_on_ties();
  bool all_by_hand() const;
  void name_by_hand();
  void name_rounded_by_hand();

  // whole_step.cc
  void name_whole_step();
  void name_whole_step_in_ranges();
  bool explains_in_ranges(const Slip& slip, Fit* fit) const;
  void add_cut(std::vector<Fit>* fits);
  void add_slips(std::vector<Fit>* fits);

  // misread.cc
  void name_shifted_operand();
  void add_misread_operands(std::vector<Fit>* fits);
  void add_swapped_operands(StepName from, const CellIndex& cell, std::size_t* tried,
                            std::vector<Fit>* fits);
  void add_misread_weights(const Place& first, std::vector<Fit>* fits);
  void add_fit(const Slip& slip, std::size_t tried, std::vector<Fit>* fits);

  // other_dropout.cc
  void add_other_dropout(std::vector<Fit>* fits);
  void add_printed_dropout_mask(const std::string& text, std::vector<Fit>* fits) const;
  bool read_dropped_weights(double p, Tensor mask) const;
  bool search_dropped_weights(double p, const Tensor& mask, std::size_t* tried) const;

  // single_cells.cc
  void name_rows();
  std::vector<Fit> fits_of_row(const Cells& row);
  void add_row(std::vector<Fit>* fits);
  void name_swapped_cells();
  /// What may be named: some wrong numbers, and what explains them.
  struct Proposal {
    std::vector<Finding*> cells;
    std::vector<Fit> fits;
  };
  /// Decides each, where together they explain half of what is open: numbers that are wrong for a
  /// common reason look like many things one by one.
  void decide_together(const std::vector<Proposal>& proposals);
  void add_swapped(Finding& one, Finding& other, std::size_t tried, std::vector<Fit>* fits);
  void name_cells();
  bool row_is(const Cells& row, std::int64_t rows, std::int64_t columns) const;
  std::vector<Alternative> alternatives_in(Reading reading, const CellIndex& cell) const;
  std::vector<CellSlip> slips_of_cell(const Finding& cell, bool alone) const;
  std::vector<Fit> fits_of_cell(Finding& cell, std::size_t beside) const;

  // decide.cc
  /// Names the open numbers among `cells`: by the first fit that is no chance, the others beside
  /// it; where all may be chance, by none, and all are said to be possible.
  enum class Needs { digits, nothing };  ///< what it takes to name a fit
  void decide(const Cells& cells, std::vector<Fit> fits, Needs needs = Needs::digits);
  void prefer_what_fits_later(std::vector<Fit>* fits) const;
  double share(const Cells& cells) const;
  double log_share(const Finding& cell, double more) const;
  bool is_whole() const;

  /// A wrong number of each row of an earlier step, and each of the scores: what may be a source.
  PerStep<std::map<CellIndex, std::size_t>> causes_;
  std::optional<std::size_t> last_cause_;

  const Record& record_;
  const std::vector<Slip>& slips_;
  const std::vector<Finding>& before_;
  std::vector<Finding>& cells_;
  Carried& carried_;
  StepName step_;
  Tensor exact_, printed_;      ///< the step in both readings
  std::optional<Range> range_;  ///< as intervals, where earlier numbers are wrong
  double span_ = 0;             ///< between the smallest and the largest number of the step
  bool only_certain_ = false;   ///< while what is open may still be a consequence
  std::list<Slip> made_;        ///< slips that are made from the printed numbers
};

}  // namespace foveal::trace
