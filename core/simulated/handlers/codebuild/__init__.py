"""CodeBuild: projects, and builds that run by the clock with phases and logs.

No command is run. A buildspec's commands are read: `exit N` (N not 0) and `false` fail their
phase, `sleep N` takes N seconds, `echo …` prints; any other takes a second and succeeds.
"""
