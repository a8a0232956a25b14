local path = "notes/" .. params.title .. ".txt"

hel:fs_create_dir("notes")
hel:fs_write(path, params.text)
return { path = path, text = hel:fs_read(path), notes = hel:fs_list_dir("notes") }
