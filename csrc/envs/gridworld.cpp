// Gridworlds from maps of text, as in se_hpo/envs/gridworld.py.
#include <algorithm>
#include <string>

#include "environment.hpp"

namespace se_hpo {
namespace {

// Right, left, down, up.
constexpr int kDown[] = {0, 0, 1, -1}, kRight[] = {1, -1, 0, 0};

// The state is the cell, counted row by row; observations are one-hot.
class GridWorld final : public NativeTask {
 public:
  GridWorld(Random random, const Fields& f)
      : NativeTask(random),
        columns_(int(f.text("map").find('\n'))),
        step_(f.real("step_reward")),
        goal_(f.real("goal_reward")),
        hole_(f.real("hole_reward")) {
    for (const char cell : f.text("map"))
      if (cell != '\n') cells_ += cell;
    if (columns_ < 0) columns_ = int(cells_.size());  // one row
    state = {0.0};
  }

  Step step(Action action, float* obs) override {
    state[0] = move(int(state[0]), action.index);
    observe(obs);
    const char cell = cells_[std::size_t(state[0])];
    const bool ended = is_end(cell);
    const double reward = cell == 'G' ? goal_ : cell == 'O' ? hole_ : step_;
    return {reward, ended ? 1.0f : 0.0f, ended, false};
  }

  void observe(float* obs) const override {
    std::fill_n(obs, cells_.size(), 0.0f);
    obs[std::size_t(state[0])] = 1.0f;
  }

 private:
  void draw_state() override { state[0] = double(cells_.find('S')); }

  static bool is_end(char cell) { return cell == 'G' || cell == 'O'; }

  int move(int cell, int action) const {
    if (is_end(cells_[cell])) return cell;
    const int rows = int(cells_.size()) / columns_;
    const int row = std::clamp(cell / columns_ + kDown[action], 0, rows - 1);
    const int column = std::clamp(cell % columns_ + kRight[action], 0, columns_ - 1);
    const int there = row * columns_ + column;
    return cells_[there] == '#' ? cell : there;
  }

  std::string cells_;
  int columns_;
  double step_, goal_, hole_;
};

}  // namespace

std::unique_ptr<NativeTask> make_gridworld(Random random, const Fields& fields) {
  return std::make_unique<GridWorld>(random, fields);
}

}  // namespace se_hpo
