"""What all actors have in common, imported before anything else that the starter needs.

Every actor is a fork of the starter, and gets a copy of each page that it writes to, if only to
count a reference. What is imported first lies close together: so less of it is copied.
"""

import loki.actors.base.shell
import loki.actors.dispatcher.dispatcher
import loki.actors.library.library
import loki.actors.tree.root  # noqa: F401
