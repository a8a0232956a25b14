return jormungandr:http_get(params.url)
