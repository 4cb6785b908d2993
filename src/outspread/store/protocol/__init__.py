"""The messages of the Bazel Remote Execution API v2, vendored as they are: see README.md. Import it late, it takes 40 ms."""
