"""What is going on: runs, jobs, attempts, machines; who does what next; and the record of all of it."""
