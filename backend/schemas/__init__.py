"""The API's questions and answers, one file for each subject.

Imports the worker's contract.
"""
