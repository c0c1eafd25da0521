/** What people ask, in their words, and the page of Learn that answers. Pure. */

/** @type {[question: string, page: string][]} */
export const QUESTIONS = [
  ["Is my loss good?", "loss"],
  ["Why did my validation loss rise?", "overfitting"],
  ["Why does the loss not go down?", "not_improving"],
  ["Why is there a spike in it?", "spike"],
  ["Why is my loss NaN?", "nonfinite"],
  ["Which learning rate should I take?", "learning_rate"],
  ["How much text do I need?", "too_little_data"],
  ["How long should I train?", "epoch"],
  ["The memory does not suffice. What now?", "out_of_memory"],
  ["Why is it so slow?", "too_slow"],
  ["Why does it write nonsense?", "sampling"],
  ["Why does it never stop writing?", "missing_end"],
  ["Which of two models is better?", "bits_per_byte"],
  ["May I close the page while it trains?", "running"],
];
