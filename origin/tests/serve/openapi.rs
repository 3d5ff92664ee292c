//! The API's description of itself, held against what it does: requests are made from the schemas, good ones and ones
//! with one thing wrong, and every answer has to be one that the description promises.

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use skylark_protocol::{address::Address, nip19::Entity};

use crate::{
    client::Answer,
    owned::{get, open_stage},
    owner::{Call, Owner},
    stage::Stage,
};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The description.
struct Document(Value);

/// One method of one path.
struct Operation<'a> {
    method: String,
    path: &'a str,
    value: &'a Value,
}

impl Document {
    async fn of(stage: &Stage) -> Self {
        Self(get(stage, "/api/v1/openapi.json").await)
    }

    fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.0["paths"].as_object().unwrap();
        let methods = |value: &'_ Value| METHODS.into_iter().filter(|method| !value[*method].is_null()).collect();
        paths
            .iter()
            .flat_map(|(path, item)| {
                let methods: Vec<&str> = methods(item);
                methods.into_iter().map(move |method| Operation {
                    method: method.to_uppercase(),
                    path,
                    value: &item[method],
                })
            })
            .collect()
    }

    /// A schema without references to other places of the document.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
            Some(pointer) => self.resolved(self.0.pointer(pointer).unwrap()),
            None => schema,
        }
    }

    fn validator(&self, schema: &Value) -> Validator {
        let mut whole = schema.clone();
        whole["components"] = self.0["components"].clone();
        jsonschema::draft202012::new(&whole).unwrap()
    }

    /// Whether an answer is one that the description promises.
    fn check(&self, operation: &Operation<'_>, answer: &Answer, what: &str) {
        let Operation { method, path, value } = operation;
        let promised = &value["responses"][answer.status.to_string()];
        let text = String::from_utf8_lossy(&answer.body);
        assert!(promised.is_object(), "{method} {path}, {what}: {} is not promised: {text}", answer.status);
        let content = &promised["content"];
        if content.is_null() {
            assert!(answer.body.is_empty(), "{method} {path}, {what}: {} has no body: {text}", answer.status);
            return;
        }
        let media_type = answer.header("content-type");
        let schema = &content[media_type]["schema"];
        assert!(content[media_type].is_object(), "{method} {path}, {what}: {media_type} is not promised");
        if schema.is_object() {
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            let validator = self.validator(schema);
            let wrong: Vec<_> = validator.iter_errors(&body).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{method} {path}, {what}: {wrong:?} in {text}");
        }
    }
}

/// A value that a schema takes: its first example, its shortest or least.
fn good(document: &Document, schema: &Value) -> Value {
    let schema = document.resolved(schema);
    if let Some(example) =
        schema["examples"][0].as_str().map(|example| json!(example)).or(schema["enum"].get(0).cloned())
    {
        return example;
    }
    let kind = schema["type"].as_str().or(schema["type"][0].as_str()).unwrap_or("object");
    match kind {
        "string" => json!("a".repeat(schema["minLength"].as_u64().unwrap_or(1) as usize)),
        "integer" => schema["minimum"].clone(),
        "boolean" => json!(false),
        "array" => json!([good(document, &schema["items"])]),
        _ => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let names = required.iter().map(|name| name.as_str().unwrap());
            names
                .map(|name| (name.to_owned(), good(document, &schema["properties"][name])))
                .collect::<Map<_, _>>()
                .into()
        }
    }
}

/// Values at the edge of what a schema takes, and beyond it.
fn edges(document: &Document, schema: &Value) -> (Vec<Value>, Vec<Value>) {
    let schema = document.resolved(schema);
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let (mut inside, mut beyond) = (Vec::new(), vec![json!({"an": "object"})]);
    if types.contains(&"null") {
        inside.push(Value::Null)
    } else {
        beyond.push(Value::Null)
    }
    if types.contains(&"string") {
        beyond.extend([json!(5), json!(true)]);
        if let Some(max) = schema["maxLength"].as_u64().filter(|_| schema["pattern"].is_null()) {
            inside.push(json!("ü".repeat(max as usize)));
            beyond.push(json!("ü".repeat(max as usize + 1)));
        }
        if schema["minLength"].as_u64().is_some_and(|min| min > 0) {
            beyond.push(json!(""));
        }
        if !schema["pattern"].is_null() {
            beyond.push(json!("§ no pattern §"));
        }
    }
    if types.contains(&"integer") {
        beyond.extend([json!("5"), json!(1.5)]);
        let (min, max) = (schema["minimum"].as_i64(), schema["maximum"].as_i64());
        inside.extend(min.into_iter().chain(max).map(|edge| json!(edge)));
        beyond.extend(min.map(|min| json!(min - 1)).into_iter().chain(max.map(|max| json!(max + 1))));
    }
    if types.contains(&"boolean") {
        inside.push(json!(true));
        beyond.extend([json!("true"), json!(1)]);
    }
    if types.contains(&"array") {
        let items = |count: u64| (0..count).map(|number| json!(format!("t{number}"))).collect::<Vec<_>>();
        inside.push(json!([]));
        if let Some(max) = schema["maxItems"].as_u64() {
            inside.push(items(max).into());
            beyond.push(items(max + 1).into());
            let (inside_items, beyond_items) = edges(document, &schema["items"]);
            inside.extend(inside_items.into_iter().map(|item| json!([item])));
            beyond.extend(beyond_items.into_iter().map(|item| json!([item])));
        }
    }
    (inside, beyond)
}

#[tokio::test]
async fn the_description_is_sound_and_knows_every_route() {
    let stage = Stage::start().await;
    let document = Document::of(&stage).await;
    for (name, schema) in document.0["components"]["schemas"].as_object().unwrap() {
        document.validator(schema);
        assert!(!schema.is_null(), "{name}");
    }
    let described: Vec<_> = document.operations().iter().map(|operation| operation.path.to_owned()).collect();
    let (api, streams) = (include_str!("../../src/serve/api/mod.rs"), include_str!("../../src/serve/api/streams.rs"));
    let routes = |source: &'static str| source.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let is_api = |path: &&str| {
        ["/streams/", "/events/", "/openapi.json", "/relays", "/discover", "/multitrack"]
            .iter()
            .any(|start| path.starts_with(start))
    };
    let api = routes(api).filter(is_api);
    let streams = routes(streams).map(|path| format!("/streams{}", path.trim_end_matches('/')));
    let known: Vec<_> = api.map(str::to_owned).chain(streams).map(|path| format!("/api/v1{path}")).collect();
    assert!(known.len() > 10, "{known:?}");
    for path in known {
        assert!(described.contains(&path), "{path} is not described");
    }
}

#[tokio::test]
async fn what_is_described_is_there_and_protected_as_described() {
    let stage = open_stage().await;
    let document = Document::of(&stage).await;
    // Each has an owner of its own: nobody may have many streams.
    for (number, operation) in (1..).zip(document.operations()) {
        let ann = Owner::new(&stage, number);
        let (id, _) = ann.create("a").await;
        let naddr = Entity::naddr(&Address::live_event(ann.pubkey(), &id), &[]);
        let path = operation.path.replace("{id}", &id).replace("{pubkey}", &ann.pubkey().to_string());
        let path = path.replace("{naddr}", &naddr);
        let call =
            Call { method: &operation.method, path: &path, media_type: "application/json", body: b"{}".to_vec() };
        let plain = ann.send(&call, "").await;
        document.check(&operation, &plain, "without a signature");
        let is_protected = operation.value["security"].is_array();
        assert_eq!(plain.status == 401, is_protected, "{} {}", operation.method, operation.path);
        for (path, what) in [(path.clone(), "signed"), (path.replace(&id, "zzzzzzzzzzzz"), "no such stream")] {
            let answer = ann.call(&Call { path: &path, ..call_again(&call) }).await;
            document.check(&operation, &answer, what);
            assert!(!answer.text().contains("method-not-allowed"), "{} {path}", operation.method);
        }
    }
}

fn call_again<'a>(call: &Call<'a>) -> Call<'a> {
    Call { method: call.method, path: call.path, media_type: call.media_type, body: call.body.clone() }
}

/// Bodies with one thing at the edge, or wrong; with the field that is wrong.
#[tokio::test]
async fn bodies_are_taken_and_refused_as_described() {
    let stage = open_stage().await;
    let document = Document::of(&stage).await;
    let mut tried = 0;
    for operation in document.operations() {
        let schema = &operation.value["requestBody"]["content"]["application/json"]["schema"];
        // What OBS asks is as its version has it: what is not known is not read.
        if !schema.is_object() || operation.path.ends_with("/ending") || operation.path.ends_with("/multitrack") {
            continue;
        }
        let whole = document.resolved(schema);
        let base = good(&document, whole);
        let mut bodies = vec![(base.clone(), None)];
        for (name, property) in whole["properties"].as_object().unwrap() {
            if name == "from" {
                continue;
            }
            let (inside, beyond) = edges(&document, property);
            let with = |value| {
                let mut body = base.clone();
                body[name] = value;
                body
            };
            // What a change does not name stays, so that `null` is as good as absent.
            let is_refused = |value: &Value| !(value.is_null() && operation.method == "PATCH");
            bodies.extend(inside.into_iter().map(|value| (with(value), None)));
            bodies.extend(beyond.into_iter().filter(is_refused).map(|value| (with(value), Some(name.as_str()))));
        }
        for required in whole["required"].as_array().into_iter().flatten() {
            let mut body = base.clone();
            body.as_object_mut().unwrap().remove(required.as_str().unwrap());
            bodies.push((body, required.as_str()));
        }
        let mut body = base.clone();
        body["unknown"] = json!(1);
        bodies.push((body, Some("unknown")));
        for (number, (body, wrong)) in bodies.into_iter().enumerate() {
            // Each time somebody else: nobody may have as many streams as are tried here.
            let ann = Owner::new(&stage, u8::try_from(1 + (tried / 10) % 200).unwrap());
            let (id, _) = ann.create("a").await;
            let path = operation.path.replace("{id}", &id);
            let call = Call {
                method: &operation.method,
                path: &path,
                media_type: "application/json",
                body: body.to_string().into_bytes(),
            };
            let answer = ann.call(&call).await;
            let start: String = body.to_string().chars().take(120).collect();
            document.check(&operation, &answer, &start);
            match wrong {
                None => assert!(answer.status < 300, "{} {number}: {start}: {}", operation.path, answer.text()),
                Some(field) => {
                    assert_eq!(answer.status, 422, "{} {start}: {}", operation.path, answer.text());
                    let body: Value = serde_json::from_slice(&answer.body).unwrap();
                    let named = body["error"]["fields"][0]["field"].as_str().unwrap();
                    assert!(named.starts_with(field), "{named}, not {field}: {start}");
                }
            }
            tried += 1;
            ann.ask("DELETE", &format!("/api/v1/streams/{id}"), Value::Null).await;
        }
    }
    assert!(tried > 60, "{tried}");
}
