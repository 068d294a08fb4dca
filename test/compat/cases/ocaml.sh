# ocaml.sh - ocaml: its heap in chunks of malloc
# needs: ocaml
# packages: ocaml-nox
# serves: ocamlrun
cat >work.ml <<'SOURCE'
let () =
  let table = Hashtbl.create 10 in
  for i = 0 to 200000 do
    Hashtbl.replace table (i * 7919 mod 20011) (String.make (i mod 90) 'x')
  done;
  Gc.compact ();
  Printf.printf "%d %d\n" (Hashtbl.length table)
    (Hashtbl.fold (fun _ s n -> n + String.length s) table 0)
SOURCE
run ocaml work.ml
