/**
 * The pages of Learn by name: what each is called and where the overview lists it. Pure.
 *
 * The names of findings are those of the coach's rules, those of statuses the run's; links.js says what leads to which.
 */

/** @type {[id: string, title: string, pages: Record<string, string>][]} in the order of the overview */
export const GROUPS = [
  [
    "step",
    "One step of training",
    {
      tokens: "Tokens",
      forward_pass: "Forward pass",
      attention: "Attention",
      loss: "Loss",
      backward_pass: "Backward pass",
      gradient_norm: "Gradient norm",
      gradient_clipping: "Gradient clipping",
      optimizer: "Optimizer",
      update: "Step, or update",
      update_ratio: "Update ratio",
    },
  ],
  [
    "settings",
    "What you can set",
    {
      learning_rate: "Learning rate",
      learning_rate_schedule: "Learning rate schedule",
      warmup: "Warmup",
      batch: "Batch",
      gradient_accumulation: "Gradient accumulation",
      noise_scale: "Noise scale",
      epoch: "Epoch",
      early_stopping: "Early stopping",
      weight_decay: "Weight decay",
      regularization: "Regularization",
      seed: "Seed",
    },
  ],
  [
    "quality",
    "How good it is",
    {
      validation: "Validation",
      overfitting: "Overfitting",
      perplexity: "Perplexity",
      bits_per_byte: "Bits per byte",
      sampling: "Samples and temperature",
      hard_rows: "Hardest rows",
      coach: "The coach",
    },
  ],
  [
    "data",
    "Data and models",
    {
      run: "Run",
      model: "Model",
      dataset: "Dataset",
      masking: "What is learned of a chat",
      mixture: "Mixture",
      packing: "Packing",
      lora: "LoRA",
      quantization: "4-bit weights",
      checkpoint: "Checkpoint",
      fork: "Fork",
    },
  ],
  [
    "machine",
    "Speed and memory",
    {
      mixed_precision: "Mixed precision",
      memory: "Memory",
      gradient_checkpointing: "Gradient checkpointing",
      throughput: "Throughput",
      time_spent: "Where the time went",
      devices: "Devices",
    },
  ],
  [
    "finding",
    "What the coach may say",
    {
      learning: "Learning",
      flat: "Loss stays flat",
      rising: "Loss goes up",
      spike: "Spike in the loss",
      nonfinite: "Loss is NaN or infinite",
      near_zero: "Loss close to zero",
      clipping: "Every update is clipped",
      vanishing_gradient: "Vanishing gradient",
      learning_rate_high: "Learning rate too high",
      learning_rate_low: "Learning rate too low",
      no_warmup: "No warmup",
      too_little_data: "Too little data",
      noisy_evaluation: "Evaluation too noisy",
      no_evaluation: "Nothing is evaluated",
      duplicates: "Duplicate examples",
      leaked_validation: "Leaked validation",
      unlearned_rows: "Rows with nothing to learn",
      slow_input: "Waiting for data",
      idle_device: "Idle device",
      small_batch: "Small batch",
      memory_full: "Memory nearly full",
      stalled: "Stalled",
    },
  ],
  [
    "help",
    "When something is wrong",
    {
      out_of_memory: "Out of memory",
      too_slow: "Training is too slow",
      not_improving: "The model does not improve",
      tips: "Tips",
    },
  ],
  [
    "status",
    "Where a run stands",
    {
      queued: "Queued",
      starting: "Starting",
      running: "Running",
      pausing: "Pausing",
      paused: "Paused",
      stopping: "Stopping",
      stopped: "Stopped",
      completed: "Completed",
      failed: "Failed",
      interrupted: "Interrupted",
    },
  ],
];

/** @type {Record<string, string>} name → title */
export const TITLES = Object.assign({}, ...GROUPS.map(([, , pages]) => pages));
