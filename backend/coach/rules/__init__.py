"""The rules, a file for each subject: each is a pure function from a record to a finding or none."""
