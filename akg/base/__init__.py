"""The ground floor: errors, options, trace, cache, registry, element types, targets."""
