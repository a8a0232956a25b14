local MINUTE_MS = 60000

local total = (hel:storage_get("total") or 0) + 1
hel:storage_set("total", total)

local recent = (hel:cache_get("recent") or 0) + 1
hel:cache_set("recent", recent, MINUTE_MS)

return { total = total, recent = recent }
