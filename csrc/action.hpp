// What an agent does in a step.
#pragma once

namespace se_hpo {

// The number of a discrete action, or as many numbers in [-1, 1] as the task asks for.
struct Action {
  Action(int number) : index(number) {}
  explicit Action(const float* numbers) : index(0), values(numbers) {}

  bool finite() const { return index >= 0; }

  int index;  // negative: the agent's values are not finite
  const float* values = nullptr;
};

}  // namespace se_hpo
