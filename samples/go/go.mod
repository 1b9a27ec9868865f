module goload.samples

go 1.19
