/// Lines to truncate and mutate.
let validLines = [
    #"{"event_type":"page.edited","user_id":null,"payload":{"page":"Räder","delta":-12.5e3,"tags":["a","b\n"]}}"#,
    #"{"id":"0a1b2c3d-4e5f-4678-9abc-def012345678","event_type":"cart.done","#
        + #""user_id":"0A1B2C3D-4E5F-4678-9ABC-DEF012345678","created_at":"2026-11-05T12:34:56.789Z","#
        + #""payload":{"a":{"b":[{},[],{"c":[1,2,3]}]},"日本":"\ud83d\ude00 \u00e9","t":true,"f":false,"n":null}}"#,
    #"{"event_type":"x","created_at":1795000000000}"#,
    #"{"conversation_id":"conv-1","question":"Why \"so\"?","response":"Because\tof \\ it","#
        + #""user_id":"0a1b2c3d-4e5f-4678-9abc-def012345678","timestamp":"2026-10-01T00:00:00+02:00","#
        + #""source":"web","metadata":{"lang":"de","n":[0,-1,1.0E-5]}}"#,
]
