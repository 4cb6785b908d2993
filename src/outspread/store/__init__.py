"""What jobs run on and what they leave: blobs and trees by digest, in stores on disk and elsewhere.

Knows nothing of runs, jobs and workers. ``contract`` is what a store promises; ``upload`` puts directories
into one, ``blob_cache`` and ``materialise`` make directories of what is in one.
"""
