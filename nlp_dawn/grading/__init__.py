"""Grading a class: student code runs in a sandbox, the answers stay outside.

It protects the points and the machine from what is handed in. A student's code
sees Python's standard library, NumPy, its own notebook and the inputs; it has
no network, no files, no other process, little memory and little time; expected
values and checks are never where it runs; of what it sends, only values count.
An answer that crashes or never ends costs its own points and no one else's.

It does not protect from answers that are not the student's own: the book and
its worked solutions are public, so that what counts for credit needs exercises
or conditions of your own. Nor is it stronger than the Linux kernel beneath it:
grade as a user who can lose nothing, on a machine that keeps no secrets.
"""
