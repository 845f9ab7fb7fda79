;; A component that exports nothing: neither a command nor functions.
(component)
